/**
 * Encrypted copies from the request to the object: the service accepts them, a run makes them, in a real Swift, in the
 * OSS stand-in and in directories. What lies there is decrypted with OpenSSL and the files of the keyring alone.
 */
import { createDecipheriv } from "node:crypto";
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { MiB } from "../../src/bytes/units.ts";
import type { Image } from "../../src/catalog/image.ts";
import { project } from "../../src/catalog/project.ts";
import { checkWriteOptions } from "../../src/engine/write-options.ts";
import { createService } from "../../src/service/create-service.ts";
import type { CopyRequest } from "../../src/service/request.ts";
import type { Service } from "../../src/service/service.ts";
import type { Source } from "../../src/source/source.ts";
import { openOss } from "../../src/store/oss/destination.ts";
import { ossSource } from "../../src/store/oss/source.ts";
import type { Destination } from "../../src/store/store.ts";
import { openSwift } from "../../src/store/swift/destination.ts";
import { swiftSource } from "../../src/store/swift/source.ts";
import type { Encryption } from "../../src/task/spec.ts";
import type { Task } from "../../src/task/task.ts";
import { digestOf, makeDisk, noise } from "../oracle/disk.ts";
import { plainCrc } from "../support/oss/crc.ts";
import { startStrictOss, TEST_ACCOUNT } from "../support/oss/server.ts";
import { configFor, md5, raw } from "../support/swift/drive.ts";
import { SWIFT, SWIFT_REASON, startSwift } from "../support/swift.ts";
import { type Gate, partGate } from "./gate.ts";
import { copyOf, type Harbour, harbour, importOf, never, PART } from "./harbour.ts";

const disk = Buffer.concat([noise(5 * MiB), Buffer.alloc(4 * MiB), makeDisk(3 * MiB)]);
const CALLER = { name: "ann", project: "p1", role: "user", requestId: "r" } as const;
const REGIONS = ["east", "west", "north"];

interface Store extends AsyncDisposable {
  /** Absent: the harbour's own directories. */
  readonly places?: {
    destination(container: string, object: string, signal: AbortSignal): Promise<Destination>;
    source(container: string, object: string, signal: AbortSignal): Promise<Source>;
  };
  /** Holds what the store says of an object against its bytes. */
  check(image: Image, bytes: Buffer): Promise<void>;
}

async function directories(): Promise<Store> {
  return { check: async () => {}, async [Symbol.asyncDispose]() {} };
}

async function inSwift(): Promise<Store> {
  const server = await startSwift();
  const config = configFor(server);
  return {
    places: {
      destination: (container, object, signal) => openSwift(config, { container, object }, signal),
      source: (container, object, signal) => swiftSource(config, { container, object }, signal),
    },
    async check({ store, disks }, bytes) {
      const asked = `/${store}/${disks[0]?.object}?multipart-manifest=get`;
      const segments = JSON.parse((await raw(server, "GET", asked)).text) as {
        hash: string;
        bytes: number;
      }[];
      let at = 0;
      for (const { hash, bytes: length } of segments) {
        expect(hash).toBe(md5(bytes.subarray(at, at + length)));
        at += length;
      }
      expect(at).toBe(bytes.length);
    },
    [Symbol.asyncDispose]: () => server.stop(),
  };
}

async function inOss(): Promise<Store> {
  const server = await startStrictOss({ buckets: REGIONS });
  const { endpoint } = server;
  const config = { region: "cn-hangzhou", ...TEST_ACCOUNT, endpoint, addressing: "virtual-host" } as const;
  return {
    places: {
      destination: (bucket, key, signal) => openOss(config, { bucket, key }, signal),
      source: (bucket, key, signal) => ossSource(config, { bucket, key }, signal),
    },
    async check({ disks }, bytes) {
      expect(disks[0]?.checksums?.crc64xz).toBe(plainCrc(bytes).toString(16).padStart(16, "0"));
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

let store: Store;
let quay: Harbour;
let service: Service;
let gate: Gate;

async function open(start: () => Promise<Store>): Promise<void> {
  store = await start();
  gate = partGate(Number.POSITIVE_INFINITY);
  quay = await harbour({ encryptOnCopy: "allowed" });
  quay.before = (destination) => gate.before(destination);
  const { places } = store;
  if (places !== undefined) {
    quay.places = {
      ...quay.places,
      async destination({ name }, object, signal) {
        const place = await places.destination(name, object, signal);
        return gate.before({ ...place, limits: { ...place.limits, preferredPart: MiB } });
      },
      source: ({ name }, object, signal) => places.source(name, object, signal),
    };
  }
  let ids = 0;
  service = createService({
    record: quay.record,
    masterKeys: quay.dataKeys,
    audit: async () => {},
    now: Date.now,
    newId: () => {
      ids += 1;
      return `made-${ids}`;
    },
    existing: async () => [],
    formats: new Map([
      ["raw", ".raw"],
      ["qcow2", ".qcow2"],
    ]),
    readable: new Set(["raw", "qcow2"]),
    checkWrite: checkWriteOptions,
    allowsUrl: () => false,
    roots: new Set(),
    regionsChanged: () => {},
  });
  await quay.record.catalogue.projects.add(project({ id: "p1", keyService: "authorized" }));
  writeFileSync(quay.path("yard", "disk.raw"), disk);
}
afterEach(async () => {
  await quay[Symbol.asyncDispose]();
  await store[Symbol.asyncDispose]();
});

async function imported(...files: string[]): Promise<string> {
  const { id } = await quay.accept(importOf(files.length === 0 ? ["disk.raw"] : files, "east-a"));
  expect((await quay.ended(id)).state).toBe("succeeded");
  const { images } = quay.record.catalogue;
  const { entry, version } = (await images.get("east-a")) ?? (undefined as never);
  // Those of a harbour are too old to be copied (CP-E26).
  const disks = entry.disks.map((one) => ({ ...one, createdAt: Date.now() }));
  await images.replace({ ...entry, disks }, version);
  return "east-a";
}

const accepted = async (image: string, given: Omit<Partial<CopyRequest>, "image">): Promise<Task> => {
  const { entry } = await service.images.get(CALLER, image);
  const target = { name: `${image} in ${given.to}` };
  return (
    await service.copyImage(CALLER, { kind: "copy", image, from: entry.region, target, ...given }, never)
  ).task;
};

/** The copy, once it is there. */
async function made({ id, spec }: Task): Promise<Image> {
  const { state, failure } = await quay.ended(id);
  expect([state, failure]).toEqual(["succeeded", undefined]);
  const { entry } = await service.images.get(CALLER, spec.kind === "copy" ? spec.to.image : "");
  expect(entry.status).toBe("Available");
  return entry;
}

const copied = async (image: string, given: Omit<Partial<CopyRequest>, "image">): Promise<Image> =>
  made(await accepted(image, given));

/** What lies in the store, as everybody sees it who may read there. */
async function stored({ store: at, disks }: Image, index = 0): Promise<Buffer> {
  const { entry } = (await quay.record.catalogue.destinations.get(at)) ?? (undefined as never);
  await using source = await quay.places.source(entry, disks[index]?.object ?? "", never);
  const bytes = Buffer.alloc(source.size);
  await source.read(bytes, 0, never);
  return bytes;
}

/** In the midst of the noise: a bit of the disk, and of no table. */
function changeStored({ store: at, disks }: Image): void {
  const path = quay.path(at, disks[0]?.object ?? "");
  const bytes = readFileSync(path);
  const middle = bytes.length / 2;
  bytes.writeUInt8(bytes.readUInt8(middle) ^ 1, middle);
  writeFileSync(path, bytes);
}

/** A copy to the north, of which nothing stays there. */
async function failsToVerify({ id }: Task): Promise<void> {
  const { state, failure } = await quay.ended(id);
  expect([state, failure?.code]).toEqual(["failed", "VERIFY_FAILED"]);
  expect(quay.files("north")).toEqual([]);
}

/** Decrypts as `docs/operations.md` says. */
function decrypted(bytes: Buffer, { id, encryption }: Image, index = 0): Buffer {
  const { key, dataKey } = encryption ?? ({} as Encryption);
  const files = readdirSync(quay.path("keys")).map((name) =>
    JSON.parse(readFileSync(quay.path("keys", name), "utf8")),
  );
  const master = Buffer.from(files.find((file) => file.id === key).key, "base64");
  const wrapped = Buffer.from(dataKey, "base64");
  const opener = createDecipheriv("aes-256-gcm", master, wrapped.subarray(0, 12));
  opener.setAAD(Buffer.from(JSON.stringify(["diskferry data key", 1, key, id])));
  opener.setAuthTag(wrapped.subarray(12, 28));
  const plain = Buffer.concat([opener.update(wrapped.subarray(28)), opener.final()]);
  const counter = Buffer.alloc(16);
  counter.writeBigUInt64BE(BigInt(index));
  return createDecipheriv("aes-256-ctr", plain, counter).update(bytes);
}

async function writesQcow2(region: string): Promise<void> {
  const { regions } = quay.record.catalogue;
  const { entry, version } = (await regions.get(region)) ?? (undefined as never);
  await regions.replace({ ...entry, imageWrite: { format: "qcow2", compression: "zstd" } }, version);
}

const YES = { wanted: "yes" } as const;
const NO = { wanted: "no" } as const;
const STORES: readonly (readonly [string, boolean, () => Promise<Store>])[] = [
  ["directories", true, directories],
  [`a Swift${SWIFT_REASON}`, SWIFT, inSwift],
  ["the OSS stand-in", true, inOss],
];

for (const [title, available, start] of STORES) {
  describe.skipIf(!available)(`encrypted copies in ${title}`, { timeout: 60_000 }, () => {
    beforeEach(() => open(start));

    it("are ciphertext of what they were made of, and read back as that", async () => {
      await quay.start();
      const image = await copied(await imported(), { to: "west", encryption: YES, verify: "read back" });
      expect(image).toMatchObject({
        encrypted: "yes",
        key: "service-key/west",
        disks: [{ encrypted: "yes", size: disk.length, guestDigest: digestOf(disk) }],
      });
      const bytes = await stored(image);
      // Noise and zeros, text and zeros: nothing of it shows.
      expect(bytes.includes(Buffer.alloc(64))).toBe(false);
      expect(bytes.includes(disk.subarray(MiB, MiB + 64))).toBe(false);
      expect(decrypted(bytes, image).equals(disk)).toBe(true);
      await store.check(image, bytes);
    });

    it("can be copied: back to plain text, and to other ciphertext", async () => {
      await quay.start();
      const first = await copied(await imported(), { to: "west", encryption: YES });
      const other = await copied(first.id, { to: "north", verify: "read back" });
      const near = await copied(first.id, { to: "west", target: { name: "near" } });
      const plain = await copied(first.id, { to: "east", encryption: NO });
      const all = await Promise.all([first, other, near, plain].map((image) => stored(image)));
      expect([first, other, near, plain].map(({ encrypted }) => encrypted)).toEqual([
        "yes",
        "yes",
        "yes",
        "no",
      ]);
      expect(new Set(all.map(md5)).size).toBe(4);
      expect(decrypted(all[1] ?? disk, other).equals(disk)).toBe(true);
      expect(decrypted(all[2] ?? disk, near).equals(disk)).toBe(true);
      expect(all[3]?.equals(disk)).toBe(true);
      expect(plain.disks[0]?.guestDigest).toBe(digestOf(disk));
    });

    it("are converted where regions keep images in other formats, and copied as they are where not", async () => {
      await quay.start();
      for (const region of ["west", "north"]) await writesQcow2(region);
      const first = await copied(await imported(), { to: "west", encryption: YES, verify: "read back" });
      const second = await copied(first.id, { to: "north", verify: "read back" });
      const [one, two] = await Promise.all([first, second].map((image) => stored(image)));
      const qcow2 = decrypted(one ?? disk, first);
      expect(qcow2.toString("latin1", 0, 4)).toBe("QFI\xfb");
      expect(decrypted(two ?? disk, second).equals(qcow2)).toBe(true);
      await store.check(second, two ?? disk);
      const plain = await copied(second.id, { to: "east", encryption: NO });
      expect((await stored(plain)).equals(disk)).toBe(true);
    });

    it("go on after a restart with the key that they began with, and send no part twice", async () => {
      const first = await quay.start();
      await imported();
      gate = partGate(5);
      const task = await accepted("east-a", { to: "west", encryption: YES });
      await gate.waiting(1);
      await quay.until(task.id, ({ progress }) => progress > 11);
      await first.drain(0);
      expect(await quay.record.task(task.id)).toMatchObject({ state: "queued", attempts: 1 });
      gate = partGate(Number.POSITIVE_INFINITY);
      await quay.start();
      const image = await made(task);
      expect(decrypted(await stored(image), image).equals(disk)).toBe(true);
      expect(gate.passed).toBeLessThan(disk.length / (store.places === undefined ? PART : MiB));
    });
  });
}

describe("an encrypted copy", () => {
  beforeEach(() => open(directories));

  it("of two equal disks has two ciphertexts", async () => {
    await quay.start();
    const image = await copied(await imported("disk.raw", "disk.raw"), { to: "west", encryption: YES });
    const [one, two] = [await stored(image, 0), await stored(image, 1)];
    expect(one.equals(two)).toBe(false);
    expect([decrypted(one, image, 0), decrypted(two, image, 1)].every((bytes) => bytes.equals(disk))).toBe(
      true,
    );
    const back = await copied(image.id, { to: "east", encryption: NO });
    for (const index of [0, 1]) expect((await stored(back, index)).equals(disk)).toBe(true);
  });

  it("is not made of what does not decrypt to what it was: a disk in another's place, in any format", async () => {
    await quay.start();
    for (const region of ["west", "north"]) await writesQcow2(region);
    writeFileSync(quay.path("yard", "other.raw"), noise(disk.length, 9));
    const first = await copied(await imported("disk.raw", "other.raw"), { to: "west", encryption: YES });
    const { images } = quay.record.catalogue;
    const { entry, version } = (await images.get(first.id)) ?? (undefined as never);
    await images.replace({ ...entry, disks: [...entry.disks].reverse() }, version);
    await failsToVerify(await accepted(first.id, { to: "north" }));
  });

  it.each([
    ["encrypted anew", {}],
    ["to plain text", { encryption: NO }],
  ])("is not made, %s, of what has been changed where it lies", async (_, how) => {
    await quay.start();
    for (const region of ["west", "north"]) await writesQcow2(region);
    const first = await copied(await imported(), { to: "west", encryption: YES });
    changeStored(first);
    await failsToVerify(await accepted(first.id, { to: "north", ...how }));
  });

  it("is not made of a plain image that has been changed where it lies", async () => {
    await quay.start();
    for (const region of ["west", "north"]) await writesQcow2(region);
    const image = await copied(await imported(), { to: "west", encryption: NO });
    changeStored(image);
    await failsToVerify(await accepted(image.id, { to: "north", encryption: YES }));
  });

  it("is not made of what is encrypted with nobody knows what", async () => {
    await quay.start();
    const { images } = quay.record.catalogue;
    const id = await imported();
    const { entry, version } = (await images.get(id)) ?? (undefined as never);
    await images.replace({ ...entry, encrypted: "yes" }, version);
    const task = await quay.accept(copyOf(id, "west-b", "raw"));
    const { state, failure } = await quay.ended(task.id);
    expect([state, failure?.code]).toEqual(["failed", "PRECONDITION"]);
  });

  it("whose key is lost before it begins fails, and leaves nothing behind", async () => {
    const scheduler = await quay.start();
    await imported();
    await scheduler.drain(0);
    const { id } = await accepted("east-a", { to: "west", encryption: YES });
    rmSync(quay.path("keys"), { recursive: true });
    await quay.start();
    const { state, failure } = await quay.ended(id);
    expect([state, failure?.code]).toEqual(["failed", "NOT_FOUND"]);
    expect(quay.files("west")).toEqual([]);
    expect(quay.notes.map(({ event }) => event)).toContain("key-unusable");
  });
});
