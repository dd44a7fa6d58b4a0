/**
 * How fast tables become extents, and extents become slots, in GiB of disk. The disk is as scattered as can be: every
 * other cluster holds data. Run: node bench/micro/plan.bench.ts
 */
import type { Extent } from "../../src/bytes/range.ts";
import { GiB, KiB, MiB } from "../../src/bytes/units.ts";
import { qcow2 } from "../../src/format/qcow2/qcow2.ts";
import { type FlatRules, planFlat } from "../../src/plan/flat.ts";
import { planPacked } from "../../src/plan/packed.ts";
import { synthetic } from "../../test/format/qcow2/synthetic.ts";
import { closedGate } from "../../test/support/gate.ts";
import { throughput } from "./throughput.ts";

const SIZE = 64 * GiB;
const CLUSTER = 64 * KiB;

const scattered = synthetic({
  virtualSize: SIZE,
  clusterBits: Math.log2(CLUSTER),
  tables: "full",
  entry(guest, data, into, at) {
    if (guest % 2 === 1) return;
    const offset = (data + guest) * CLUSTER;
    into.setUint32(at, 0x80000000 + Math.floor(offset / 2 ** 32));
    into.setUint32(at + 4, offset % 2 ** 32);
  },
});

const signal = new AbortController().signal;
const image = await qcow2.reader.open(
  { source: scattered, gate: closedGate, allowAmplification: true },
  signal,
);
const all: Extent[] = [];
for await (const extent of image.extents({ offset: 0, length: SIZE }, signal)) all.push(extent);

async function* extents(): AsyncGenerator<Extent> {
  yield* all;
}

/** As for Swift. */
const rules: FlatRules = {
  size: SIZE,
  alignment: CLUSTER,
  preferredPart: 64 * MiB,
  minPart: MiB,
  maxPart: 5 * GiB,
  maxParts: 1_000_000,
  minZeros: MiB,
};

console.log(`${SIZE / GiB} GiB, ${all.length} extents`);
await throughput("Planning", [
  {
    name: "extents of qcow2 tables",
    bytes: SIZE,
    async run() {
      for await (const extent of image.extents({ offset: 0, length: SIZE }, signal)) void extent;
    },
  },
  { name: "flat plan", bytes: SIZE, run: async () => void (await planFlat(extents, rules)) },
  {
    name: "packed plan",
    bytes: SIZE,
    run: async () =>
      void (await planPacked(extents(), {
        size: SIZE,
        alignment: CLUSTER,
        segment: 32 * MiB,
        maxSlots: 1_000_000,
        unit: CLUSTER,
        maxStored: CLUSTER,
        tableSpan: 512 * MiB,
        atLeast: MiB,
        firstNumber: 2,
      })),
  },
]);
