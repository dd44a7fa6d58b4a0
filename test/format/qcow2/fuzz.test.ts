import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MiB } from "../../../src/bytes/units.ts";
import { Fault } from "../../../src/fault/fault.ts";
import type { Image } from "../../../src/format/format.ts";
import { AT, CLUSTER, craft, ENTRY_AT } from "./craft.ts";
import { extentsOf, never, openImage } from "./open.ts";

/** Numbers at which parsers break: ends and quarters of every width, and places inside the image. */
const BOUNDARIES = [8n, 16n, 32n, 64n]
  .flatMap((bits) => [1n, 2n, 4n].map((part) => 2n ** bits / part))
  .flatMap((value) => [value - 1n, value, value + 1n])
  .concat(Object.values(AT).flatMap((at) => [BigInt(at), BigInt(at) + 1n, (1n << 62n) | BigInt(at)]))
  .concat([0n, 1n, 2n, 3n, 511n, 512n, 513n])
  .map((value) => value & (2n ** 64n - 1n));

/** Header fields by offset and width, and the entries of all tables. */
const FIELDS = [
  ...[8, 24, 40, 48, 64, 72, 80, 88].map((at) => ({ at, width: 8 })),
  ...[0, 4, 16, 20, 32, 36, 56, 60, 96, 100, 112, 116].map((at) => ({ at, width: 4 })),
  { at: 104, width: 1 },
  ...[AT.refcountTable, AT.l1, AT.l1 + 8, AT.secondL2, AT.snapshots, AT.snapshots + 48].map((at) => ({
    at,
    width: 8,
  })),
  ...Object.values(ENTRY_AT).map((at) => ({ at, width: 8 })),
  ...[8, 32, 36].map((at) => ({ at: AT.snapshots + at, width: 4 })),
  ...[12, 14].map((at) => ({ at: AT.snapshots + at, width: 2 })),
];

const bytesOf = (value: bigint, width: number) => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(value);
  return bytes.subarray(8 - width);
};

const fieldChange = fc
  .tuple(fc.constantFrom(...FIELDS), fc.oneof(fc.constantFrom(...BOUNDARIES), fc.bigInt(0n, 2n ** 64n - 1n)))
  .map(([{ at, width }, value]) => ({ at, bytes: bytesOf(value, width) }));

const bitChange = fc
  .tuple(fc.constantFrom(...FIELDS), fc.integer({ min: 0, max: 63 }))
  .map(([{ at, width }, bit]) => ({ at: at + ((bit >> 3) % width), bit: 1 << (bit & 7) }));

const tableBytes = fc
  .tuple(
    fc.constantFrom(0, AT.refcountTable, AT.l1, AT.l2, AT.secondL2, AT.snapshots),
    fc.integer({ min: 0, max: CLUSTER - 64 }),
    fc.uint8Array({ minLength: 1, maxLength: 64 }),
  )
  .map(([at, inside, bytes]) => ({ at: at + inside, bytes: Buffer.from(bytes) }));

type Change = { readonly at: number; readonly bytes: Buffer } | { readonly at: number; readonly bit: number };

function apply(image: Buffer, change: Change): void {
  if ("bytes" in change) change.bytes.copy(image, change.at);
  else image[change.at] = (image[change.at] ?? 0) ^ change.bit;
}

/** Everything an open image can be asked for; ranges of a huge disk are only sampled. */
async function walk(image: Image): Promise<void> {
  const whole = Math.min(image.virtualSize, 64 * MiB);
  const ends = [
    { offset: 0, length: whole },
    {
      offset: image.virtualSize - Math.min(image.virtualSize, MiB),
      length: Math.min(image.virtualSize, MiB),
    },
  ];
  for (const range of ends) {
    let covered = 0;
    for (const piece of await image.pieces(range, never)) {
      expect(piece.length).toBeGreaterThan(0);
      covered += piece.length;
      if (piece.kind === "coded") {
        const source = image.sources[piece.source];
        expect(piece.offset + piece.size).toBeLessThanOrEqual(source?.size ?? 0);
        expect(piece.skip + piece.length).toBeLessThanOrEqual(piece.unit);
      }
    }
    expect(covered).toBe(range.length);
    let at = range.offset;
    for (const extent of await extentsOf(image, range)) {
      expect(extent.offset).toBe(at);
      at += extent.length;
    }
    expect(at).toBe(range.offset + range.length);
  }
  JSON.stringify(image.report());
}

describe("any bytes", () => {
  it("give an image that can be walked, or a Fault of the image", { timeout: 60_000 }, async () => {
    const outcomes = new Map<string, number>();
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.oneof(fieldChange, bitChange, tableBytes), { minLength: 1, maxLength: 4 }),
        fc.option(fc.integer({ min: 0, max: AT.end + CLUSTER }), { nil: undefined, freq: 8 }),
        fc.boolean(),
        fc.constantFrom(undefined, "1"),
        async (changes, cut, allow, snapshot) => {
          let image = craft();
          for (const change of changes) apply(image, change);
          if (cut !== undefined)
            image = Buffer.concat([image.subarray(0, cut), Buffer.alloc(Math.max(0, cut - AT.end))]);
          const before = process.memoryUsage().arrayBuffers;
          try {
            await walk(
              await openImage(image, {
                ...(allow ? { amplification: "allow" as const } : {}),
                ...(snapshot === undefined ? {} : { snapshot }),
              }),
            );
            outcomes.set("opened", (outcomes.get("opened") ?? 0) + 1);
          } catch (error) {
            if (!(error instanceof Fault)) throw error;
            expect(error.code).not.toBe("INTERNAL");
            expect(error.code).not.toBe("SOURCE_CHANGED");
            outcomes.set(error.code, (outcomes.get(error.code) ?? 0) + 1);
          }
          expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(128 * MiB);
        },
      ),
      { numRuns: 4000 },
    );
    // the changes reach behind the first check: some images open, others fail in many ways
    expect(outcomes.size).toBeGreaterThan(6);
    expect(outcomes.get("opened")).toBeGreaterThan(100);
  });

  it("that are random behind the magic give a Fault", async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 0, maxLength: 600 }), async (bytes) => {
        const image = Buffer.concat([Buffer.from([0x51, 0x46, 0x49, 0xfb, 0, 0, 0, 3]), bytes]);
        await expect(openImage(image)).rejects.toBeInstanceOf(Fault);
      }),
      { numRuns: 500 },
    );
  });
});
