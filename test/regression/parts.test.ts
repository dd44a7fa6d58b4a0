/** What stores with bounds on their parts are sent: none too small but the last, none too large, and a sound image. */
import { closeSync, ftruncateSync, openSync, writeSync } from "node:fs";
import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import { GiB, KiB, MiB } from "../../src/bytes/units.ts";
import type { TransferImageRequest } from "../../src/engine/transfer-image.ts";
import { verify } from "../../src/engine/verify.ts";
import { noise } from "../oracle/disk.ts";
import { QEMU, QEMU_REASON, qemuImg } from "../support/qemu.ts";
import { makeWorld } from "../support/world.ts";
import { MAX_PART, MIN_PART, type StrictStore, strictStore } from "./strict-store.ts";

const world = await makeWorld("parts");
const never = new AbortController().signal;

let store: StrictStore;
beforeEach(async () => {
  store = await strictStore(world.path("stores"));
  return () => store[Symbol.asyncDispose]();
});

/** A disk of `size` bytes with holes between `pieces`. */
function makeSparse(name: string, size: number, pieces: Readonly<Record<number, Buffer>>): void {
  const file = openSync(world.path(name), "w");
  for (const [offset, bytes] of Object.entries(pieces))
    writeSync(file, bytes, 0, bytes.length, Number(offset));
  ftruncateSync(file, size);
  closeSync(file);
}

async function send(disk: string, wish: Partial<TransferImageRequest>) {
  return world.transfer(disk, "strict:object", {
    source: { format: "raw" },
    places: store.places,
    existing: "replace",
    unfinished: "discard",
    ...wish,
  });
}

function expectPartsWithinBounds(): void {
  expect(store.parts.slice(0, -1).filter((length) => length < MIN_PART)).toEqual([]);
  expect(store.parts.filter((length) => length > MAX_PART)).toEqual([]);
}

async function expectSameDisk(disk: string, format: string): Promise<void> {
  const left = world.image(disk, { format: "raw" });
  const right = world.image(store.object, { format });
  const verdict = await verify(left, right, world.engine, () => {}, never);
  expect(verdict).toMatchObject({ equal: true });
}

describe("a large disk with little data, as qcow2", () => {
  beforeAll(() =>
    makeSparse("little.raw", 10 * GiB, {
      [512 * MiB - 64 * KiB]: noise(64 * KiB, 1),
      [6 * GiB]: noise(64 * KiB, 2),
    }),
  );

  it.skipIf(!QEMU).each([512, 4 * KiB, 64 * KiB])(
    `of clusters of %i bytes comes in parts that are large enough, and is sound${QEMU_REASON}`,
    async (clusterSize) => {
      await send("little.raw", { format: "qcow2", clusterSize });
      expectPartsWithinBounds();
      qemuImg("check", "-f", "qcow2", store.object);
      qemuImg("compare", "-f", "raw", "-F", "qcow2", world.path("little.raw"), store.object);
    },
  );
});

describe.each([
  ["noise, a little larger than a segment,", 65 * MiB, noise(65 * MiB, 3), 1],
  [
    "text, a little larger than two segments,",
    129 * MiB,
    Buffer.alloc(129 * MiB, "all work and no play\n"),
    2,
  ],
] as const)("a disk full of %s", (what, size, content, parts) => {
  const name = `${what.slice(0, 5)}.raw`;
  beforeAll(() => makeSparse(name, size, { 0: content }));

  it.each([
    ["zvhd2", {}],
    ["zvhd2", { compression: "zlib" }],
    ["zvhd", {}],
    ["vhd", {}],
    ["qcow2", { compression: "zlib" }],
    ["qcow2", { compression: "zstd" }],
    ["qcow2", { compression: "none" }],
  ] as const)(
    "as %s %o comes in parts that are large enough, and reads the same",
    async (format, options) => {
      await send(name, { format, ...options });
      expect(store.parts.length).toBeGreaterThanOrEqual(parts);
      expectPartsWithinBounds();
      await expectSameDisk(name, format);
      if (QEMU && format === "qcow2") qemuImg("check", "-f", "qcow2", store.object);
    },
  );
});

describe("a compressed qcow2 that is copied as it is", () => {
  const text = Buffer.alloc(130 * MiB, "all work and no play\n");
  const halves = Buffer.concat(Array.from({ length: 130 * 4 }, (_, i) => halfNoise(i)));

  /** 256 KiB that shrink by half. */
  function halfNoise(seed: number): Buffer {
    return Buffer.concat([noise(128 * KiB, seed + 1), text.subarray(0, 128 * KiB)]);
  }

  it.each([
    ["all of it shrinks to next to nothing", text, "compressed anew"],
    ["it shrinks by half", halves, "copied"],
    [
      "parts of it shrink",
      Buffer.concat([text.subarray(0, 65 * MiB), halves.subarray(0, 65 * MiB)]),
      "copied",
    ],
  ] as const)("comes in parts that are large enough, also where %s", async (_what, content, how) => {
    makeSparse("coded.raw", content.length, { 0: content });
    const options = { format: "qcow2", compression: "zlib", clusterSize: 256 * KiB } as const;
    await world.transfer("coded.raw", "coded.qcow2", {
      ...options,
      source: { format: "raw" },
      existing: "replace",
    });
    const result = await send("coded.qcow2", { ...options, source: world.image("coded.qcow2") });
    expect(result.guestDigest === undefined).toBe(how === "copied");
    expectPartsWithinBounds();
    await expectSameDisk("coded.raw", "qcow2");
    if (QEMU) qemuImg("check", "-f", "qcow2", store.object);
  });
});

describe("a disk that begins with zeros", () => {
  it.each([
    ["zvhd2", 1 * MiB],
    ["zvhd2", 0],
    ["zvhd", 1 * MiB],
  ] as const)(
    "as %s, with %i bytes of data near and more far away, comes in parts that are large enough",
    async (format, near) => {
      makeSparse("zeros-first.raw", 20 * GiB, {
        ...(near === 0 ? {} : { [2 * MiB]: noise(near, 4) }),
        [10 * GiB]: noise(8 * MiB, 5),
        [15 * GiB]: noise(64 * KiB, 6),
      });
      await send("zeros-first.raw", { format });
      expect(store.parts.length).toBeGreaterThan(1);
      expectPartsWithinBounds();
      await expectSameDisk("zeros-first.raw", format);
    },
  );
});

describe("a disk whose first segment turns out to be zeros", () => {
  it("as qcow2 has a head that is large enough nevertheless", async () => {
    makeSparse("stored-zeros.raw", 80 * MiB, { 0: Buffer.alloc(66 * MiB), [66 * MiB]: noise(14 * MiB, 8) });
    await send("stored-zeros.raw", { format: "qcow2" });
    expect(store.parts.length).toBeGreaterThan(1);
    expectPartsWithinBounds();
    await expectSameDisk("stored-zeros.raw", "qcow2");
  });
});

describe("a small disk that is rounded up far", () => {
  beforeAll(() => makeSparse("small.raw", 1 * MiB, { 0: noise(1 * MiB, 7) }));

  it.each(["raw", "vhd-fixed"])("as %s is no part too large, and nearly nothing is sent", async (format) => {
    const { object, virtualSize } = await send("small.raw", { format, roundTo: 10 * GiB });
    expect(virtualSize).toBe(10 * GiB);
    expect(object.size).toBe(10 * GiB + (format === "raw" ? 0 : 512));
    expectPartsWithinBounds();
    expect(store.sent.reduce((sum, length) => sum + length, 0)).toBeLessThan(2 * MIN_PART + 1 * MiB);
    await expectSameDisk("small.raw", format === "raw" ? "raw" : "vhd");
  });
});
