/** Unit tables come back from a journal as they were given, from memory or from the file. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { MiB } from "../../src/bytes/units.ts";
import type { UnitTable } from "../../src/format/format.ts";
import { openJournal } from "../../src/transfer/journal.ts";

const directory = mkdtempSync(join(tmpdir(), "diskferry-tables-"));
afterAll(() => rmSync(directory, { recursive: true }));

/** 1 MiB of it. */
const table = (seed: number): UnitTable => ({
  units: Uint32Array.from({ length: MiB / 8 }, (_, index) => (index % 7 === 0 ? 0 : seed * index)),
  places: Uint32Array.from({ length: MiB / 8 }, (_, index) => seed + index),
});
const receipt = (number: number, seed: number) => ({
  number,
  length: 1,
  etag: "",
  checksums: {},
  guest: "0".repeat(32),
  table: table(seed),
});

describe("the unit tables of a run", () => {
  it("come back, also those that do not stay in memory, and the later one of a part that landed twice", async () => {
    const seeds = new Map([1, 2, 3, 4, 5, 6, 7].map((number) => [number, number]));
    {
      await using journal = await openJournal(directory, "place", "place");
      await journal.begin("x", { id: 1 });
      for (const [number, seed] of seeds) await journal.append(receipt(number, seed));
      // One that was in memory, and one that was not.
      for (const number of [2, 6]) {
        await journal.append(receipt(number, 100 + number));
        seeds.set(number, 100 + number);
      }
      for (const [number, seed] of seeds) expect(await journal.table(number)).toEqual(table(seed));
    }
    await using again = await openJournal(directory, "place", "place");
    expect(again.unfinished?.segments).toHaveLength(7);
    for (const [number, seed] of seeds) expect(await again.table(number)).toEqual(table(seed));
    await again.forget();
    await expect(again.table(1)).rejects.toThrow("no unit table");
    await again.remove();
  });
});
