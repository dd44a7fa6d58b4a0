/** Planning happens in the main thread, where others want their turn meanwhile. */
import { setImmediate } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import type { Extent } from "../../src/bytes/range.ts";
import { GiB, KiB } from "../../src/bytes/units.ts";
import { Fault } from "../../src/fault/fault.ts";
import type { Image } from "../../src/format/format.ts";
import { formatByUserName } from "../../src/format/registry.ts";
import { openNull } from "../../src/store/null/null.ts";
import { planTransfer } from "../../src/transfer/plan-transfer.ts";

const EXTENT = 64 * KiB;
const EXTENTS = 100_000;
const SIZE = EXTENTS * EXTENT;

/** Data and zeros in turn, all known without reading anything. */
const fragmented: Image = {
  format: "raw",
  virtualSize: SIZE,
  sources: [],
  async *extents(): AsyncGenerator<Extent> {
    for (let n = 0; n < EXTENTS; n += 1) {
      yield { kind: n % 2 === 0 ? "data" : "zero", offset: n * EXTENT, length: EXTENT };
    }
  },
  pieces: () => Promise.reject(new Error("nothing is read")),
} as unknown as Image;

function plan(format: string, signal: AbortSignal) {
  const layout = formatByUserName(format).writer.layout({ virtualSize: SIZE, seed: new Uint8Array(16) });
  const limits = { ...openNull().limits, maxParts: 1_000_000, maxPart: 1024 * GiB, zeroPart: EXTENT };
  return planTransfer({ image: fragmented, layout, limits, adopt: "nothing" }, signal);
}

describe("planning a fragmented disk", () => {
  it.each(["raw", "qcow2"])("lets others have their turn, as %s", async (format) => {
    let turns = 0;
    let planned = false;
    const others = (async () => {
      for (; !planned; turns += 1) await setImmediate();
    })();
    await plan(format, new AbortController().signal);
    planned = true;
    await others;
    expect(turns).toBeGreaterThanOrEqual(EXTENTS / 10_000);
  });

  it("ends when it is no longer wanted", async () => {
    const given = new AbortController();
    const planned = plan("raw", given.signal);
    await setImmediate();
    given.abort(new Fault("CANCELED", "not wanted"));
    await expect(planned).rejects.toMatchObject({ message: "not wanted" });
  });
});
