/** Destinations and sources that are encrypted; what is expected is made with OpenSSL's cipher over the whole object. */
import { createDecipheriv, createSecretKey, randomBytes } from "node:crypto";
import { readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { MiB } from "../../src/bytes/units.ts";
import type { ContentCipher } from "../../src/cipher/content-cipher.ts";
import { Fault } from "../../src/fault/fault.ts";
import { decryptedSource } from "../../src/source/decrypted/decrypted.ts";
import { memorySource } from "../../src/source/memory/memory.ts";
import { encryptedDestination } from "../../src/store/encrypted.ts";
import type { Destination } from "../../src/store/store.ts";
import type { Producer } from "../../src/transfer/job.ts";
import { transferStream } from "../../src/transfer/transfer-stream.ts";
import { digestOf, makeDisk, noise } from "../oracle/disk.ts";
import { makeWorld, type Wish } from "../support/world.ts";
import { type PartStore, partStore } from "./part-store.ts";

const world = await makeWorld("encrypted");
const { path, engine } = world;
const disk = Buffer.concat([noise(5 * MiB), makeDisk(4 * MiB), Buffer.alloc(3 * MiB), noise(3 * MiB, 2)]);
writeFileSync(path("disk.raw"), disk);
await world.transfer("disk.raw", "disk.qcow2", { format: "qcow2", compression: "zlib" });

const KEY = randomBytes(32);
const cipher: ContentCipher = { key: createSecretKey(Buffer.from(KEY)), disk: 3 };
const never = new AbortController().signal;

let store: PartStore;
beforeEach(async () => {
  store = await partStore();
});
afterEach(async () => {
  await store[Symbol.asyncDispose]();
});

const plainOf = (bytes: Uint8Array): Buffer =>
  createDecipheriv("aes-256-ctr", KEY, Buffer.from("00000000000000030000000000000000", "hex")).update(bytes);
const object = (): Buffer => store.objects.get("fake://bucket/object") ?? Buffer.alloc(0);
/** A place where nothing lands that is not encrypted. */
const strict = (destination: Destination): Destination => ({
  ...encryptedDestination(destination, cipher),
  async begin(intent, signal) {
    const upload = await destination.begin(intent, signal);
    return { ...upload, zeros: () => Promise.reject(new Error("zeros are known")), copy: undefined as never };
  },
});
const inStore = { destination: async () => strict(store.destination()) };
const inFile = {
  destination: async (location: string, signal: AbortSignal) =>
    encryptedDestination(await engine.places.destination(location, signal), cipher),
};

/** Stops everything once `enough` jobs were done. */
function stopping(enough: number): { producer: Producer; signal: AbortSignal } {
  const controller = new AbortController();
  let done = 0;
  const { lanes, threads } = engine.producer;
  return {
    signal: controller.signal,
    producer: {
      lanes,
      threads,
      async produce(job, signal) {
        const receipt = await engine.producer.produce(job, signal);
        done += 1;
        if (done === enough) setImmediate(() => controller.abort(new Fault("CANCELED", "stopped")));
        return receipt;
      },
    },
  };
}

const SHAPES: [string, string, Wish][] = [
  ["raw", "disk.raw", { format: "raw" }],
  ["qcow2", "disk.raw", { format: "qcow2" }],
  ["qcow2 zstd", "disk.raw", { format: "qcow2", compression: "zstd" }],
  ["vhd", "disk.raw", { format: "vhd" }],
  ["vhd-fixed", "disk.raw", { format: "vhd-fixed" }],
  ["qcow2 zlib from the same", "disk.qcow2", { format: "qcow2", compression: "zlib" }],
];
const OPTIONS = { segment: MiB, concurrency: 3 };

describe.each(SHAPES)("%s, encrypted", (_, from, wish) => {
  const options = { ...OPTIONS, ...wish };

  it.each([1, 2 * MiB])(
    "in a store with parts of %d bytes at least, is the same once decrypted",
    async (minPart) => {
      await store[Symbol.asyncDispose]();
      store = await partStore({ minPart });
      const plain = await world.transfer(from, "fake:", {
        ...options,
        places: { destination: async () => store.destination() },
      });
      const expected = object();
      store.objects.clear();
      const result = await world.transfer(from, "fake:", { ...options, places: inStore });
      expect(object().length).toBe(expected.length);
      expect(plainOf(object()).equals(expected)).toBe(true);
      // No two equal blocks where there were many: ciphertext knows no zeros.
      expect(object().includes(Buffer.alloc(64))).toBe(false);
      expect(result.guestDigest).toBe(plain.guestDigest);
    },
  );

  it("in a file, is the same once decrypted, and reads back", async () => {
    await world.transfer(from, "plain", options);
    const result = await world.transfer(from, "out", {
      ...options,
      places: inFile,
      verify: "read back",
    });
    expect(plainOf(readFileSync(path("out"))).equals(readFileSync(path("plain")))).toBe(true);
    expect(result.object.size).toBe(statSync(path("plain")).size);
    for (const file of ["plain", "out"]) rmSync(path(file));
  });

  it("goes on after an interruption with the same key, and the object is the same", async () => {
    await world.transfer(from, "fake:", { ...options, places: inStore });
    const expected = object();
    store.objects.clear();
    store.taken.length = 0;
    await expect(
      world.transfer(from, "fake:", { ...options, concurrency: 2, places: inStore, ...stopping(3) }),
    ).rejects.toMatchObject({ code: "CANCELED" });
    const held = new Set([...store.uploads.values()].flatMap((parts) => [...parts.keys()]));
    const before = store.taken.length;
    await world.transfer(from, "fake:", { ...options, places: inStore });
    expect(object().equals(expected)).toBe(true);
    expect(store.taken.slice(before).filter((number) => held.has(number))).toEqual([]);
  });
});

describe("an encrypted destination", () => {
  it.each(["raw", "qcow2"])("takes a %s part as landed whose reply was lost, by its ETag", async (format) => {
    const controller = new AbortController();
    const lost = 3;
    store.behave = async ({ number, take, request }) => {
      if (number !== lost) return false;
      await take();
      controller.abort();
      request.socket.destroy();
      return true;
    };
    const options = { ...OPTIONS, concurrency: 1, places: inStore, format };
    await expect(
      world.transfer("disk.raw", "fake:", { ...options, signal: controller.signal }),
    ).rejects.toMatchObject({ code: "CANCELED" });
    store.behave = () => false;
    await world.transfer("disk.raw", "fake:", options);
    expect(store.taken.filter((number) => number === lost)).toEqual([lost]);
    expect(object().includes(Buffer.alloc(64))).toBe(false);
  });

  it("is not filled with other bytes under the same key", async () => {
    const options = { ...OPTIONS, concurrency: 1, places: inStore };
    await expect(world.transfer("disk.raw", "fake:", { ...options, ...stopping(2) })).rejects.toMatchObject({
      code: "CANCELED",
    });
    await expect(
      world.transfer("disk.raw", "fake:", { ...options, segment: 2 * MiB, unfinished: "resume" }),
    ).rejects.toMatchObject({ code: "CONFLICT" });
    expect(store.objects.size).toBe(0);
    await world.transfer("disk.raw", "fake:", options);
    expect(plainOf(object()).equals(disk)).toBe(true);
  });

  it("takes a stream, encrypted", async () => {
    async function* stream() {
      yield disk;
    }
    const ports = { onProgress: () => {}, onRetry: () => {} };
    await transferStream(
      stream(),
      {
        destination: strict(store.destination()),
        existing: "refuse",
        concurrency: 2,
        memory: 64 * MiB,
        bandwidth: 0,
      },
      ports,
      never,
    );
    expect(plainOf(object()).equals(disk)).toBe(true);
  });
});

describe("a decrypted source", () => {
  const encrypted = (bytes: Buffer): Buffer => plainOf(bytes);
  const fromFile = {
    source: async (location: string, signal: AbortSignal) =>
      decryptedSource(await engine.places.source(location, signal), cipher),
  };

  it.each(["disk.raw", "disk.qcow2"])("is read by the threads as it was: %s", async (file) => {
    writeFileSync(path("in"), encrypted(readFileSync(path(file))));
    const result = await world.transfer("in", "out.raw", { format: "raw", places: fromFile });
    expect(result.guestDigest).toBe(digestOf(disk));
    expect(readFileSync(path("out.raw")).equals(disk)).toBe(true);
    for (const name of ["in", "out.raw"]) rmSync(path(name));
  });

  it("knows no holes, no zeros and no store that could copy it", () => {
    const source = memorySource(encrypted(disk));
    const decrypted = decryptedSource(
      {
        ...source,
        extents: async function* () {},
        stored: { store: "s3", url: "", container: "", object: "" },
      },
      cipher,
    );
    expect([decrypted.extents, decrypted.stored]).toEqual([undefined, undefined]);
  });

  it("keeps the borders of its parts, and none of their zeros", async () => {
    const parts = [
      { offset: 0, length: 5, zero: true },
      { offset: 5, length: 3 },
    ] as const;
    const decrypted = decryptedSource({ ...memorySource(Buffer.alloc(8)), parts: async () => parts }, cipher);
    expect(await decrypted.parts?.(never)).toEqual([
      { offset: 0, length: 5 },
      { offset: 5, length: 3 },
    ]);
  });

  it("reads any range", async () => {
    const source = decryptedSource(memorySource(encrypted(disk)), cipher);
    for (const [offset, length] of [
      [0, 1],
      [15, 18],
      [4095, 70_000],
      [disk.length - 3, 3],
    ] as const) {
      const into = Buffer.alloc(length);
      await source.read(into, offset, never);
      expect(into.equals(disk.subarray(offset, offset + length))).toBe(true);
    }
  });
});
