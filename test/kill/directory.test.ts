import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ADOPTED, type Bench, openBench, PLAIN, tell } from "./campaign.ts";
import { directoryStore } from "./directory-store.ts";
import { survivesKills } from "./survives-kills.ts";

survivesKills("A directory, killed", true, ({ root, state }) => directoryStore(root, state), {
  shapes: [ADOPTED, PLAIN],
  windows: [
    [
      { phase: "told", kind: "lock", nth: 1 },
      { phase: "told", kind: "journal", nth: 1 },
      { phase: "told", kind: "write", nth: 1 },
      { phase: "told", kind: "journal", nth: 3 },
      { phase: "told", kind: "publish", nth: 1 },
    ],
  ],
  middle: { phase: "told", kind: "journal", nth: 6 },
  published: { phase: "told", kind: "publish", nth: 1 },
});

describe("Processes that start in the same moment", () => {
  let bench: Bench;
  beforeAll(async () => {
    bench = await openBench();
  });
  afterAll(() => bench[Symbol.asyncDispose]());

  it("are all but one refused, whoever is first", async () => {
    const command = [
      "transfer",
      `${bench.root}/disk.qcow2`,
      `${bench.root}/one`,
      "--format",
      "raw",
      "--json",
    ];
    const ended = await Promise.all(Array.from({ length: 4 }, () => bench.run(command).ended));
    expect(ended.filter(({ code }) => code === 0).length, ended.map(tell).join("\n")).toBe(1);
    for (const { code, said } of ended) {
      if (code !== 0) expect(["USAGE", "ALREADY_EXISTS"]).toContain(said.at(-1)?.["code"]);
    }
    expect(await bench.journals()).toEqual([]);
  });
});
