import { describe, expect, it } from "vitest";
import { keepForgetting } from "../../src/daemon/retention.ts";
import { Fault } from "../../src/fault/fault.ts";
import type { Forgotten, Retention } from "../../src/record/record.ts";

/** Runs until the record has been asked so often. */
async function asked(
  times: number,
  answer: (retention: Retention) => Forgotten,
): Promise<{ readonly asked: readonly Retention[]; readonly notes: readonly string[] }> {
  const seen: Retention[] = [];
  const notes: string[] = [];
  const enough = new AbortController();
  await keepForgetting(
    {
      async forget(retention) {
        seen.push(retention);
        if (seen.length === times) enough.abort();
        return answer(retention);
      },
    },
    { taskMs: 100, tokenMs: 10, auditMs: 200, now: () => 1000, note: (_, event) => notes.push(event) },
    enough.signal,
  );
  return { asked: seen, notes };
}

describe("what has ended long ago", () => {
  it("is forgotten, tasks, tokens and notes each after their time", async () => {
    const { asked: seen, notes } = await asked(1, () => ({ tasks: 3, audits: 0, rest: "none" }));
    expect(seen).toMatchObject([{ endedBefore: 900, tokensBefore: 990, auditsBefore: 800 }]);
    expect(notes).toEqual(["forgotten"]);
  });

  it("is forgotten a little at a time, until there is no more", async () => {
    const { asked: seen } = await asked(3, () => ({ tasks: 0, audits: 0, rest: "some" }));
    expect(seen).toHaveLength(3);
  });

  it("waits for the record to work again", async () => {
    const { notes } = await asked(1, () => {
      throw new Fault("IO", "the disk fails");
    });
    expect(notes).toEqual(["record-fails"]);
  });
});
