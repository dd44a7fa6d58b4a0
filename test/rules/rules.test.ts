/** The list of rules is whole: each has a test over the wire, each number in a test is one, and docs/rules.md says so. */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { coverageOf, mayHold, type NamedTest, numbersOf } from "./coverage.ts";
import { pageOf } from "./page.ts";
import { rulesOf, type Source } from "./rule.ts";
import { SOURCES } from "./rules.ts";

it("every rule is held by a test, every number is a rule, and docs/rules.md is up to date", async () => {
  // Vitest lists tests in a process of its own, and takes none of this one's settings for its own.
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("VITEST")));
  const main = join(import.meta.dirname, "main.ts");
  const { stderr } = await promisify(execFile)(process.execPath, [main, "--check"], { env }).catch(
    (error: unknown) => error as { readonly stderr: string },
  );
  expect(stderr).toBe("");
});

it("no number is given twice, and whatever cannot be met says why", () => {
  const rules = SOURCES.flatMap((source) => source.rules);
  expect(new Set(rules.map(({ id }) => id)).size).toBe(rules.length);
  for (const { id, says, unmet, partly } of rules) {
    expect([...numbersOf(id)]).toEqual([id]);
    expect(says).not.toMatch(/[.\s]$|^$/);
    for (const why of [unmet, partly]) if (why !== undefined) expect(why).toMatch(/^[A-Z].{20,}\.$/);
  }
});

describe("the coverage", () => {
  const source: Source = {
    title: "A document",
    origin: "Nowhere.",
    rules: rulesOf([
      ["EX-1", "It begins"],
      ["EX-11", "It goes on"],
      ["EX-E1", "It is refused", { unmet: "Nobody refuses it." }],
    ]),
  };
  const over = (name: string): NamedTest => ({ file: "test/api/some.test.ts", name });
  const within = (name: string): NamedTest => ({ file: "test/service/some.test.ts", name });

  it("is whole when each rule that can be met has a test over the wire", () => {
    const { tests, faults } = coverageOf([source], [over("EX-1, EX-11: both"), within("again (EX-11)")]);
    expect(faults).toEqual([]);
    expect(tests.get("EX-1")).toHaveLength(1);
    expect(tests.get("EX-11")).toHaveLength(2);
  });

  it.each([
    ["a rule without a test", [over("EX-1 EX-1 twice")], "EX-11 has no test: It goes on"],
    [
      "a rule with tests inside alone",
      [over("EX-1"), within("EX-11")],
      "EX-11 has no test over the wire: It goes on",
    ],
    [
      "a test of what is said not to be met",
      [over("EX-1"), over("EX-11"), over("EX-E1 refused")],
      "EX-E1 has a test, and is said not to be met: It is refused",
    ],
    [
      "a number that is no rule",
      [over("EX-1"), over("EX-11"), over("CP-E99 none")],
      "CP-E99 is no rule: test/api/some.test.ts: CP-E99 none",
    ],
  ])("names %s", (_, named, fault) => {
    expect(coverageOf([source], named).faults).toEqual([fault]);
  });

  it("finds numbers wherever a name has them, and what only looks like one nowhere", () => {
    expect([...numbersOf("a (EX-11) > CP-E24, D9: EV-1; MEX-1 EX-E ID12 EX1 D")]).toEqual([
      "EX-11",
      "CP-E24",
      "D9",
      "EV-1",
    ]);
    expect(["FJ-E%s", "D13: x", "%s: %s"].map(mayHold)).toEqual([true, true, false]);
  });

  it("is shown rule by rule, with what cannot be met at the end", () => {
    const page = pageOf([source], coverageOf([source], [over("a_b > EX-1 *begins*"), within("EX-1")]));
    expect(page).toContain("| A document | 3 | 1 | 1 |");
    expect(page).toContain(
      "**EX-1** It begins.\n\n- `test/api/some.test.ts`\n  - a\\_b \\> EX-1 \\*begins\\*\n- `test/service/some.test.ts`\n",
    );
    expect(page).toMatch(
      /## Not made real, and why\n\n- \*\*EX-E1\*\* It is refused\. Nobody refuses it\.\n$/,
    );
  });
});
