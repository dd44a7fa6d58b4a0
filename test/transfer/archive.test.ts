/** A tar.gz in stores that want large parts: zeros, which take next to nothing, must not make a part too small. */
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { GiB, KiB, MiB } from "../../src/bytes/units.ts";
import { writeSpread } from "../daemon/disk.ts";
import { makeDisk, noise, writeSparse } from "../oracle/disk.ts";
import { makeWorld } from "../support/world.ts";
import { partStore } from "./part-store.ts";

const world = await makeWorld("archive");
const { path } = world;

const text = Buffer.alloc(9 * MiB, "all work and no play\n");
const DISKS: Readonly<Record<string, Buffer>> = {
  "all kinds of content": makeDisk(30 * MiB + 77),
  "what shrinks to nothing": Buffer.concat([text, Buffer.alloc(20 * MiB), text]),
  "little data at the end": Buffer.concat([Buffer.alloc(30 * MiB), noise(KiB)]),
  "zeros alone": Buffer.alloc(30 * MiB),
};

it.each(
  Object.keys(DISKS).flatMap((kind) => [
    [kind, 100 * KiB],
    [kind, 5 * MiB],
  ]) as [string, number][],
)("%s, in parts of at least %i bytes", async (kind, minPart) => {
  const disk = DISKS[kind] ?? Buffer.alloc(0);
  writeSparse(path("disk.raw"), disk);
  await using store = await partStore({ minPart });
  const places = { destination: async () => store.destination() };
  await world.transfer("disk.raw", "fake://bucket/object.raw.tar.gz", {
    format: "tar.gz",
    segment: 6 * MiB,
    places,
  });
  mkdirSync(path("folder"), { recursive: true });
  const input = store.objects.get("fake://bucket/object");
  const { status, stderr } = spawnSync("tar", ["xzf", "-", "-C", path("folder")], { input });
  expect([status, stderr.toString()]).toEqual([0, ""]);
  expect(readFileSync(path("folder/object.raw")).equals(disk)).toBe(true);
});

it("much larger than memory: zeros between data become parts of their own, and cost a thousandth", async () => {
  writeSpread(path("large.raw"), { runs: 3, apart: 20 * GiB, data: MiB });
  await using store = await partStore({ minPart: 5 * MiB });
  const places = { destination: async () => store.destination() };
  const lanes: number[] = [];
  const { object, sent } = await world.transfer("large.raw", "fake:", {
    format: "tar.gz",
    places,
    events: { onPlan: ({ laneMemory }) => void lanes.push(laneMemory) },
  });
  expect(object.size).toBeLessThan(3 * MiB + (60 * GiB) / 900 + 3 * 5 * MiB);
  expect([sent, store.taken.length]).toEqual([object.size, 3 + 3 * 3 + 1]);
  expect(lanes.map((memory) => memory < 192 * MiB)).toEqual([true]);
});

it("rounded up far: little data in front of many zeros is no part that is too small", async () => {
  writeSparse(path("small.raw"), noise(MiB + 7));
  await using store = await partStore({ minPart: 5 * MiB });
  const places = { destination: async () => store.destination() };
  const { object } = await world.transfer("small.raw", "fake:", {
    format: "tar.gz",
    roundTo: 20 * GiB,
    places,
  });
  expect(object.size).toBeLessThan(5 * MiB + (20 * GiB) / 900);
  expect([...store.taken].sort((a, b) => a - b)).toEqual([2, 3, 4, 5, 6]);
});
