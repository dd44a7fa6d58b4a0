import {
  closeSync,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { KiB, MiB } from "../../src/bytes/units.ts";
import { Fault } from "../../src/fault/fault.ts";
import type { Producer, SegmentJob } from "../../src/transfer/job.ts";
import { digestOf, makeDisk, noise } from "../oracle/disk.ts";
import { makeWorld, type Wish } from "../support/world.ts";
import { type PartStore, partStore } from "./part-store.ts";

const world = await makeWorld("resume");
const { path, engine } = world;
const disk = Buffer.concat([noise(5 * MiB), makeDisk(4 * MiB), Buffer.alloc(3 * MiB), noise(3 * MiB, 2)]);
writeFileSync(path("disk.raw"), disk);
await world.transfer("disk.raw", "disk.zvhd", { format: "zvhd" });
await world.transfer("disk.raw", "disk.qcow2", { format: "qcow2", compression: "zlib" });

let store: PartStore;
beforeEach(async () => {
  store = await partStore();
});
afterEach(async () => {
  await store[Symbol.asyncDispose]();
  expect(filesOf("diskferry-part")).toEqual([]);
  expect(journals()).toEqual([]);
});

const filesOf = (part: string): string[] => readdirSync(path(".")).filter((name) => name.includes(part));
const journals = (): string[] =>
  existsSync(engine.stateDirectory) ? readdirSync(engine.stateDirectory) : [];

/** Notes which jobs were done; stops everything once `enough` have been. */
function watched(enough = Number.POSITIVE_INFINITY) {
  const done: number[] = [];
  const controller = new AbortController();
  const producer: Producer = {
    lanes: 8,
    threads: 8,
    async produce(job: SegmentJob, signal) {
      const receipt = await engine.producer.produce(job, signal);
      if (job.target.kind !== "discard") done.push(job.number);
      // After the receipt has been taken in.
      if (done.length === enough)
        setImmediate(() => controller.abort(new Fault("CANCELED", "stopped by the user")));
      return receipt;
    },
  };
  return { done, producer, signal: controller.signal };
}

/** The file up to 32 MiB: what follows in a disk that was rounded up to 1 GiB is zeros, which the digest covers. */
function startOf(name: string): Buffer {
  const bytes = Buffer.alloc(Math.min(statSync(path(name)).size, 32 * MiB));
  const file = openSync(path(name), "r");
  readSync(file, bytes, 0, bytes.length, 0);
  closeSync(file);
  return bytes;
}

const SHAPES: [string, string, Wish][] = [
  ["raw", "disk.raw", { format: "raw" }],
  ["qcow2", "disk.raw", { format: "qcow2" }],
  ["qcow2 zstd", "disk.raw", { format: "qcow2", compression: "zstd" }],
  ["vhd", "disk.raw", { format: "vhd" }],
  ["vhd-fixed", "disk.raw", { format: "vhd-fixed" }],
  ["zvhd", "disk.raw", { format: "zvhd" }],
  ["zvhd2", "disk.raw", { format: "zvhd2" }],
  ["tar.gz", "disk.raw", { format: "tar.gz" }],
  ["raw from a chained zvhd", "disk.zvhd", { format: "raw" }],
  ["zvhd2 from a chained zvhd", "disk.zvhd", { format: "zvhd2" }],
  ["qcow2 zlib from the same", "disk.qcow2", { format: "qcow2", compression: "zlib" }],
];

describe("a transfer that is interrupted, and asked for again", () => {
  it.each(SHAPES)(
    "to a file writes only what is missing, and the same bytes: %s",
    async (_name, from, wish) => {
      const options = { segment: MiB, concurrency: 2, ...wish };
      const whole = await world.transfer(from, "out", options);
      const expected = startOf("out");
      rmSync(path("out"));

      const first = watched(3);
      await expect(world.transfer(from, "out", { ...options, ...first })).rejects.toMatchObject({
        code: "CANCELED",
        message: "stopped by the user",
      });
      expect([existsSync(path("out")), filesOf("diskferry-part").length, journals().length]).toEqual([
        false,
        1,
        1,
      ]);

      const second = watched();
      const resumed: [number, number][] = [];
      const result = await world.transfer(from, "out", {
        ...options,
        ...second,
        events: { onResume: (landed, parts) => resumed.push([landed, parts]) },
      });
      expect(startOf("out").equals(expected)).toBe(true);
      expect([result.guestDigest, result.object.size]).toEqual([whole.guestDigest, whole.object.size]);
      const [landed = 0, parts = 0] = resumed[0] ?? [];
      expect([resumed.length, landed >= 1, landed < parts]).toEqual([1, true, true]);
      expect(result.sent).toBeLessThan(whole.sent);
      rmSync(path("out"));
    },
  );

  // The fake store holds objects in memory: not the 1 GiB of a raw disk that comes from zvhd.
  const small = SHAPES.filter(([name]) => name !== "raw from a chained zvhd");
  it.each(small)("to a store sends no part twice that was acknowledged: %s", async (_name, from, wish) => {
    const places = { destination: async () => store.destination() };
    const options = { segment: MiB, concurrency: 2, places, ...wish };
    const whole = await world.transfer(from, "fake:", { ...options, existing: "replace" });
    const expected = store.objects.get("fake://bucket/object") ?? Buffer.alloc(0);
    store.objects.clear();
    store.taken.length = 0;

    const first = watched(3);
    await expect(world.transfer(from, "fake:", { ...options, ...first })).rejects.toMatchObject({
      code: "CANCELED",
    });
    const before = new Set(store.taken);
    const held = new Set([...store.uploads.values()].flatMap((parts) => [...parts.keys()]));
    expect([before.size > 0, store.objects.size, journals().length]).toEqual([true, 0, 1]);

    store.taken.length = 0;
    const result = await world.transfer(from, "fake:", options);
    expect(store.taken.filter((number) => before.has(number) && held.has(number))).toEqual([]);
    expect(store.objects.get("fake://bucket/object")?.equals(expected)).toBe(true);
    expect(result.guestDigest).toBe(whole.guestDigest);
  });

  it("takes a part as landed whose reply was lost, without sending it again", async () => {
    const places = { destination: async () => store.destination() };
    const controller = new AbortController();
    store.behave = async ({ number, take, request }) => {
      if (number !== 2) return false;
      await take();
      controller.abort();
      request.socket.destroy();
      return true;
    };
    const options = { segment: MiB, concurrency: 1, places };
    await expect(
      world.transfer("disk.raw", "fake:", { ...options, signal: controller.signal }),
    ).rejects.toMatchObject({
      code: "CANCELED",
    });
    expect(store.taken).toEqual([1, 2]);
    store.behave = () => false;
    await world.transfer("disk.raw", "fake:", options);
    expect(store.taken.filter((number) => number <= 2)).toEqual([1, 2]);
    expect(store.objects.get("fake://bucket/object")?.equals(disk)).toBe(true);
  });

  it("sends again what the store holds otherwise than it was journaled", async () => {
    const places = { destination: async () => store.destination() };
    const options = { segment: MiB, concurrency: 1, places };
    await expect(world.transfer("disk.raw", "fake:", { ...options, ...watched(3) })).rejects.toMatchObject({
      code: "CANCELED",
    });
    const [held] = store.uploads.values();
    held?.set(1, Buffer.alloc(MiB, 0xbb));
    held?.delete(2);
    store.taken.length = 0;
    await world.transfer("disk.raw", "fake:", options);
    expect(store.taken.slice(0, 2)).toEqual([1, 2]);
    expect(store.objects.get("fake://bucket/object")?.equals(disk)).toBe(true);
  });

  it("begins anew when the store has forgotten it", async () => {
    const places = { destination: async () => store.destination() };
    const options = { segment: MiB, concurrency: 1, places };
    await expect(world.transfer("disk.raw", "fake:", { ...options, ...watched(3) })).rejects.toMatchObject({
      code: "CANCELED",
    });
    store.uploads.clear();
    store.taken.length = 0;
    await world.transfer("disk.raw", "fake:", options);
    expect(store.taken).toContain(1);
    expect(store.objects.get("fake://bucket/object")?.equals(disk)).toBe(true);
  });

  it("may be interrupted again and again", async () => {
    const options = { segment: MiB, concurrency: 1 };
    let rounds = 0;
    for (;;) {
      rounds += 1;
      const result = await world
        .transfer("disk.raw", "out.raw", { ...options, ...watched(2) })
        .catch((error: Fault) => {
          expect(error.code).toBe("CANCELED");
          return undefined;
        });
      if (result !== undefined) {
        expect(result.guestDigest).toBe(digestOf(disk));
        break;
      }
    }
    expect(rounds).toBeGreaterThan(3);
    expect(readFileSync(path("out.raw")).equals(disk)).toBe(true);
    rmSync(path("out.raw"));
  });
});

describe("an unfinished transfer", () => {
  const options = { segment: MiB, concurrency: 1 };

  async function interrupt(): Promise<void> {
    await expect(world.transfer("disk.raw", "out", { ...options, ...watched(3) })).rejects.toMatchObject({
      code: "CANCELED",
    });
  }

  it("is not gone on with by another request, which says what to do", async () => {
    await interrupt();
    for (const other of [{ format: "qcow2" }, { segment: 2 * MiB }, { roundTo: 4 * MiB }]) {
      await expect(world.transfer("disk.raw", "out", { ...options, ...other })).rejects.toMatchObject({
        code: "ALREADY_EXISTS",
        message: `${path("out")}: an unfinished transfer with another source, options or version stands here; repeat it as it was to go on with it, or discard it with --restart`,
      });
    }
    await expect(world.transfer("disk.zvhd", "out", { ...options, format: "raw" })).rejects.toMatchObject({
      code: "ALREADY_EXISTS",
    });
    // None of these did it any harm.
    const second = watched();
    await world.transfer("disk.raw", "out", { ...options, ...second });
    expect(second.done).not.toContain(1);
    expect(readFileSync(path("out")).equals(disk)).toBe(true);
    rmSync(path("out"));
  });

  it("is not gone on with when its source has changed", async () => {
    writeFileSync(path("live.raw"), disk);
    await expect(world.transfer("live.raw", "out", { ...options, ...watched(3) })).rejects.toMatchObject({
      code: "CANCELED",
    });
    writeFileSync(path("live.raw"), Buffer.from(disk).fill(1, 0, 10));
    await expect(world.transfer("live.raw", "out", options)).rejects.toMatchObject({
      code: "ALREADY_EXISTS",
    });
    await world.transfer("live.raw", "out", { ...options, unfinished: "discard" });
    expect(readFileSync(path("out")).subarray(0, 10).equals(Buffer.alloc(10, 1))).toBe(true);
    rmSync(path("out"));
  });

  it("is discarded on request: everything is done anew", async () => {
    await interrupt();
    const second = watched();
    await world.transfer("disk.raw", "out", { ...options, ...second, unfinished: "discard" });
    expect(second.done).toContain(1);
    expect(readFileSync(path("out")).equals(disk)).toBe(true);
    rmSync(path("out"));
  });

  it("may be gone on with by fewer or more lanes, another memory and another bandwidth", async () => {
    await interrupt();
    const second = watched();
    await world.transfer("disk.raw", "out", {
      ...options,
      ...second,
      concurrency: 7,
      memory: 64 * MiB,
      bandwidth: 1024 * MiB,
    });
    expect(second.done).not.toContain(1);
    expect(readFileSync(path("out")).equals(disk)).toBe(true);
    rmSync(path("out"));
  });

  it("is given up where a codec of today makes more or less of a segment than was left room for", async () => {
    const words = Array.from({ length: 400 }, (_, index) => (index * 7919).toString(36));
    const text = Array.from({ length: MiB }, (_, index) => words[(index * index + (index >> 3)) % 400]);
    writeFileSync(path("text.raw"), Buffer.from(text.join(" ")).subarray(0, 3 * MiB));
    const wish = { format: "qcow2", compression: "zlib", clusterSize: 4 * KiB, segment: MiB } as const;
    // The receipt of the second of three segments is lost: the third stands behind it.
    const controller = new AbortController();
    const others = Promise.withResolvers<void>();
    let landed = 0;
    const losing: Producer = {
      lanes: 3,
      threads: 3,
      async produce(job, signal) {
        const receipt = await engine.producer.produce(job, signal);
        if (job.number !== 3) {
          landed += 1;
          if (landed === 2) setImmediate(others.resolve);
          return receipt;
        }
        await others.promise;
        controller.abort(new Fault("CANCELED", "stopped by the user"));
        throw controller.signal.reason;
      },
    };
    await expect(
      world.transfer("text.raw", "out", { ...wish, producer: losing, signal: controller.signal }),
    ).rejects.toMatchObject({ code: "CANCELED" });

    const produced: number[] = [];
    const another: Producer = {
      lanes: 3,
      threads: 3,
      produce({ shape, ...job }, signal) {
        if (shape.kind === "flat") throw new Error("a qcow2 is packed");
        produced.push(job.number);
        return engine.producer.produce(
          { ...job, shape: { ...shape, encoding: { ...shape.encoding, level: 9 } } },
          signal,
        );
      },
    };
    await expect(world.transfer("text.raw", "out", { ...wish, producer: another })).rejects.toMatchObject({
      code: "INTERNAL",
      message: expect.stringMatching(/^segment 2 stands at \d+ .* the codec gives other bytes/),
    });
    expect(produced).toEqual([3]);
    expect([existsSync(path("out")), filesOf("diskferry-part"), journals()]).toEqual([false, [], []]);
  });

  it("is one transfer at a time: a second is refused while the first runs", async () => {
    const gate = Promise.withResolvers<void>();
    const started = Promise.withResolvers<void>();
    const producer: Producer = {
      lanes: 1,
      threads: 1,
      async produce(job, signal) {
        started.resolve();
        await gate.promise;
        return engine.producer.produce(job, signal);
      },
    };
    const first = world.transfer("disk.raw", "out", { ...options, producer });
    await started.promise;
    await expect(world.transfer("disk.raw", "out", options)).rejects.toMatchObject({ code: "USAGE" });
    gate.resolve();
    await first;
    rmSync(path("out"));
  });
});
