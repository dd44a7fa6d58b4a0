import { randomBytes } from "node:crypto";
import { describe, expect, test } from "vitest";
import { KiB, MiB } from "../../../src/bytes/units.ts";
import { crc64Hex } from "../../../src/digest/crc64.ts";
import type { OssConfig } from "../../../src/store/oss/config.ts";
import { openOss } from "../../../src/store/oss/destination.ts";
import type { Destination, PartReceipt, Upload, UploadIntent } from "../../../src/store/store.ts";
import { plainCrc } from "../../support/oss/crc.ts";
import { sendPart } from "../../support/oss/send.ts";
import { type StrictOss, startStrictOss, TEST_ACCOUNT } from "../../support/oss/server.ts";

const signal = new AbortController().signal;
const PART = 128 * KiB;
const bytes = randomBytes(3 * PART - 1000);
const crcOf = (data: Uint8Array) => crc64Hex(plainCrc(data));

function open(
  server: StrictOss,
  options: Partial<OssConfig> = {},
  location = { bucket: "images", key: "dir/ü (1).raw" },
): Promise<Destination> {
  const config = {
    region: "cn-hangzhou",
    accessKeyId: TEST_ACCOUNT.accessKeyId,
    accessKeySecret: TEST_ACCOUNT.accessKeySecret,
    endpoint: server.endpoint,
    addressing: "virtual-host",
    ...options,
  } as const;
  return openOss(config, location, signal);
}

const KEY = "dir/ü (1).raw";
const REFUSE: UploadIntent = { existing: "refuse" };
const REPLACE: UploadIntent = { existing: "replace" };

async function sendOne(upload: Upload, number: number, data = bytes): Promise<PartReceipt> {
  const offset = (number - 1) * PART;
  const target = await upload.target({ number }, signal);
  return sendPart(target, { number, offset, bytes: data.subarray(offset, offset + PART) }, signal);
}

async function sendAll(upload: Upload, data = bytes): Promise<readonly PartReceipt[]> {
  const receipts: PartReceipt[] = [];
  for (const number of [3, 1, 2]) receipts.push(await sendOne(upload, number, data));
  return receipts.sort((a, b) => a.number - b.number);
}

async function all<T>(items: AsyncIterable<T>): Promise<readonly T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}

/** Nothing of the upload may be left: no object, no parts, no temporary zeros. */
function expectNothing(server: StrictOss, bucket = "images"): void {
  expect(server.bucket(bucket).keys()).toEqual([]);
  expect([...server.bucket(bucket).uploads.keys()]).toEqual([]);
  expect(server.blobs).toBe(0);
}

describe("an upload to OSS", () => {
  test.each([
    { addressing: "virtual-host", endpoint: "ip" },
    { addressing: "path", endpoint: "ip" },
    { addressing: "path", endpoint: "name" },
  ] as const)("lands parts sent out of order ($addressing, $endpoint)", async ({ addressing, endpoint }) => {
    await using server = await startStrictOss();
    const url = endpoint === "ip" ? server.endpoint : `http://localhost:${server.port}`;
    await using destination = await open(server, { addressing, endpoint: url });
    const upload = await destination.begin({ ...REFUSE, size: bytes.length }, signal);
    const parts = await sendAll(upload);
    expect(await all(upload.held(signal))).toMatchObject(
      parts.map(({ number, length, etag }) => ({ number, length, etag })),
    );
    const landed = await upload.complete(parts, { crc64xz: crcOf(bytes) }, signal);
    expect(landed).toMatchObject({
      name: `oss://images/${KEY}`,
      size: bytes.length,
      confirmed: { crc64xz: crcOf(bytes) },
    });
    expect((await server.read("images", KEY)).equals(bytes)).toBe(true);
    expect(server.seen.every((request) => request.addressing === addressing)).toBe(true);
    await using source = await destination.source(signal);
    const back = new Uint8Array(1000);
    await source.read(back, PART - 500, signal);
    expect(Buffer.from(back).equals(bytes.subarray(PART - 500, PART + 500))).toBe(true);
  });

  test("sends the traffic limit and the security token with every part", async () => {
    const account = { ...TEST_ACCOUNT, securityToken: "a/token+" };
    await using server = await startStrictOss({ accounts: [account] });
    await using destination = await open(server, { securityToken: "a/token+", trafficLimit: 838_860_800 });
    const upload = await destination.begin(REFUSE, signal);
    await upload.complete(await sendAll(upload), {}, signal);
    const sent = server.seen.filter(({ kind }) => kind === "UploadPart");
    expect(sent.map(({ headers }) => headers["x-oss-traffic-limit"])).toEqual(Array(3).fill("838860800"));
    await using source = await destination.source(signal);
    await source.read(new Uint8Array(10), 0, signal);
  });

  test.each([REFUSE, REPLACE])(
    "lands an empty object, even when the reply is lost ($existing)",
    async (intent) => {
      await using server = await startStrictOss();
      await using destination = await open(server);
      const upload = await destination.begin({ ...intent, size: 0 }, signal);
      server.inject({ kind: "PutObject", fate: { act: "cut", when: "after" } });
      const landed = await upload.complete([], { crc64xz: "0000000000000000" }, signal);
      expect(landed).toMatchObject({ size: 0, confirmed: { crc64xz: "0000000000000000" } });
      expect(server.bucket("images").keys()).toEqual([KEY]);
      expect(server.bucket("images").uploads.size).toBe(0);
    },
  );

  test("keeps secrets out of token, names and messages", async () => {
    await using server = await startStrictOss();
    await using destination = await open(server);
    const upload = await destination.begin(REFUSE, signal);
    const shown = JSON.stringify([upload.token, destination.name]);
    expect(shown).not.toContain(TEST_ACCOUNT.accessKeyId);
    expect(shown).not.toContain(TEST_ACCOUNT.accessKeySecret);
  });
});

describe("zeros in OSS", () => {
  test.each(["given", "withheld"] as const)(
    "are copied, not sent, with the CRC of copies %s",
    async (copiedCrc) => {
      await using server = await startStrictOss({ copiedCrc });
      await using destination = await open(server);
      const upload = await destination.begin(REFUSE, signal);
      const last = randomBytes(5000);
      const parts = [
        await upload.zeros({ number: 1, length: 700 * KiB, offset: 0 }, signal),
        await upload.zeros({ number: 4, length: 3 * MiB, offset: 700 * KiB }, signal),
        await sendPart(
          await upload.target({ number: 9 }, signal),
          { number: 9, offset: 700 * KiB + 3 * MiB, bytes: last },
          signal,
        ),
      ];
      expect(parts[1]).toMatchObject({ zero: true, length: 3 * MiB });
      const whole = Buffer.concat([new Uint8Array(700 * KiB + 3 * MiB), last]);
      const landed = await upload.complete(parts, { crc64xz: crcOf(whole) }, signal);
      expect(landed.confirmed).toEqual(copiedCrc === "given" ? { crc64xz: crcOf(whole) } : {});
      expect((await server.read("images", KEY)).equals(whole)).toBe(true);
      expect(server.bucket("images").keys()).toEqual([KEY]);
      expect(server.bucket("images").uploads.size).toBe(0);
      const sent = server.seen.filter(({ kind }) => kind === "PutObject" || kind === "UploadPart");
      expect(sent.map(({ headers }) => Number(headers["content-length"]))).toEqual([MiB, 5000]);
    },
  );

  test("that may not be removed are named, and do not fail the upload", async () => {
    await using server = await startStrictOss();
    await using destination = await open(server);
    const upload = await destination.begin(REFUSE, signal);
    const part = await upload.zeros({ number: 1, length: MiB, offset: 0 }, signal);
    server.inject({ kind: "DeleteObject", fate: { act: "refuse", status: 403, code: "AccessDenied" } });
    const { remains } = await upload.complete([part], {}, signal);
    const left = server
      .bucket("images")
      .keys()
      .filter((key) => key !== KEY);
    expect(left.length).toBe(1);
    expect(remains).toContain(`oss://images/${left[0]}`);
  });

  test("many at once share one ladder, up to the largest part", async () => {
    await using server = await startStrictOss();
    await using destination = await open(server);
    const upload = await destination.begin(REFUSE, signal);
    const length = 5 * 1024 * MiB;
    const parts = await Promise.all(
      [0, 1, 2].map((index) => upload.zeros({ number: index + 1, length, offset: index * length }, signal)),
    );
    // One mebibyte sent; 64 copies make the second rung, 80 of those the third, one more for each part.
    expect(server.count("PutObject")).toBe(1);
    expect(server.count("UploadPartCopy")).toBe(64 + 80 + 3);
    const landed = await upload.complete(parts, {}, signal);
    expect(landed.size).toBe(3 * length);
    expect(server.bucket("images").keys()).toEqual([KEY]);
  });

  test("leave no version behind in a bucket that keeps versions", async () => {
    await using server = await startStrictOss({ versioned: ["kept"] });
    await using destination = await open(server, {}, { bucket: "kept", key: KEY });
    const upload = await destination.begin(REFUSE, signal);
    const part = await upload.zeros({ number: 1, length: 2 * MiB, offset: 0 }, signal);
    await upload.complete([part], {}, signal);
    expect(server.bucket("kept").versionCount).toBe(1);
  });

  test("are made even when the reply that completes a rung is lost", async () => {
    await using server = await startStrictOss();
    server.inject({ kind: "CompleteMultipartUpload", fate: { act: "cut", when: "after" } });
    await using destination = await open(server);
    const upload = await destination.begin(REFUSE, signal);
    const part = await upload.zeros({ number: 1, length: 2 * MiB, offset: 0 }, signal);
    await upload.complete([part], {}, signal);
    expect((await server.read("images", KEY)).equals(Buffer.alloc(2 * MiB))).toBe(true);
  });

  test("go on for the others when the one who began them is canceled", async () => {
    await using server = await startStrictOss();
    await using destination = await open(server);
    const upload = await destination.begin(REFUSE, signal);
    const canceled = new AbortController();
    const first = upload.zeros({ number: 1, length: 2 * MiB, offset: 0 }, canceled.signal);
    const second = upload.zeros({ number: 2, length: 2 * MiB, offset: 2 * MiB }, signal);
    canceled.abort();
    await expect(first).rejects.toThrow();
    expect(await second).toMatchObject({ number: 2, zero: true });
    await upload.abort(signal);
    expectNothing(server);
  });
});

describe("a store that lies", () => {
  test("about a part is found out by the sender", async () => {
    await using server = await startStrictOss();
    await using destination = await open(server);
    const upload = await destination.begin(REFUSE, signal);
    server.inject({ kind: "UploadPart", fate: { act: "alter", headers: { "x-oss-hash-crc64ecma": "1" } } });
    await expect(sendOne(upload, 1)).rejects.toMatchObject({ code: "CHECKSUM_MISMATCH" });
  });

  test.each(["CompleteMultipartUpload", "HeadObject"] as const)(
    "about the whole, in %s, is refused and leaves nothing under the final name",
    async (kind) => {
      await using server = await startStrictOss();
      await using destination = await open(server);
      const upload = await destination.begin(REPLACE, signal);
      const parts = await sendAll(upload);
      server.inject({ kind, fate: { act: "alter", headers: { "x-oss-hash-crc64ecma": "1" } } });
      await expect(upload.complete(parts, {}, signal)).rejects.toMatchObject({
        code: "CHECKSUM_MISMATCH",
        message: expect.stringContaining("0000000000000001"),
      });
      expectNothing(server);
      await upload.abort(signal);
    },
  );

  test("about the size is refused and leaves nothing", async () => {
    await using server = await startStrictOss();
    await using destination = await open(server);
    const upload = await destination.begin(REPLACE, signal);
    const parts = await sendAll(upload);
    server.inject({ kind: "HeadObject", fate: { act: "alter", headers: { "content-length": "5" } } });
    await expect(upload.complete(parts, {}, signal)).rejects.toMatchObject({ code: "VERIFY_FAILED" });
    expectNothing(server);
  });

  test("is never asked to publish parts that it does not hold as acknowledged", async () => {
    await using server = await startStrictOss();
    await using destination = await open(server);
    const upload = await destination.begin(REFUSE, signal);
    const parts = await sendAll(upload);
    const other = Buffer.from(bytes);
    other[PART + 5] = (other[PART + 5] ?? 0) ^ 1;
    await sendOne(upload, 2, other);
    await expect(upload.complete(parts, {}, signal)).rejects.toMatchObject({
      code: "VERIFY_FAILED",
      message: expect.stringContaining("part 2"),
    });
    expect(server.count("CompleteMultipartUpload")).toBe(0);
    const wrong = parts.map((part) => ({ ...part, checksums: { crc64xz: "0123456789abcdef" } }));
    await expect(upload.complete(wrong, { crc64xz: crcOf(bytes) }, signal)).rejects.toMatchObject({
      code: "CHECKSUM_MISMATCH",
    });
    expect(server.count("CompleteMultipartUpload")).toBe(0);
    await upload.abort(signal);
    expectNothing(server);
  });

  test("is never asked to publish what the parts do not make", async () => {
    await using server = await startStrictOss();
    await using destination = await open(server);
    const upload = await destination.begin({ ...REFUSE, size: bytes.length }, signal);
    const parts = await sendAll(upload);
    const checksums = { crc64xz: "0123456789abcdef" };
    await expect(upload.complete(parts, checksums, signal)).rejects.toMatchObject({
      code: "CHECKSUM_MISMATCH",
    });
    await expect(upload.complete(parts.slice(1), {}, signal)).rejects.toMatchObject({
      code: "VERIFY_FAILED",
    });
    expect(server.count("CompleteMultipartUpload")).toBe(0);
    // Neither spoils the upload.
    await upload.complete(parts, { crc64xz: crcOf(bytes) }, signal);
  });
});

describe("an object that is there already", () => {
  test.each(["images", "kept"])("is refused before anything is begun (%s)", async (bucket) => {
    await using server = await startStrictOss({ versioned: ["kept"] });
    await using destination = await open(server, {}, { bucket, key: KEY });
    const first = await destination.begin(REFUSE, signal);
    await first.complete(await sendAll(first), {}, signal);
    await expect(destination.begin(REFUSE, signal)).rejects.toMatchObject({ code: "ALREADY_EXISTS" });
    expect(server.bucket(bucket).uploads.size).toBe(0);
  });

  test.each(["images", "kept"])("is refused when it came while we uploaded (%s)", async (bucket) => {
    await using server = await startStrictOss({ versioned: ["kept"] });
    await using destination = await open(server, {}, { bucket, key: KEY });
    const [first, second] = [
      await destination.begin(REFUSE, signal),
      await destination.begin(REFUSE, signal),
    ];
    await first.complete(await sendAll(first), {}, signal);
    const other = randomBytes(bytes.length);
    const parts = await sendAll(second, other);
    await expect(second.complete(parts, {}, signal)).rejects.toMatchObject({ code: "ALREADY_EXISTS" });
    await second.abort(signal);
    expect((await server.read(bucket, KEY)).equals(bytes)).toBe(true);
    expect(server.bucket(bucket).uploads.size).toBe(0);
  });

  test("is refused by OSS itself when it came in the very last moment", async () => {
    await using server = await startStrictOss();
    await using destination = await open(server);
    const [first, second] = [
      await destination.begin(REFUSE, signal),
      await destination.begin(REFUSE, signal),
    ];
    const parts = await sendAll(second, randomBytes(bytes.length));
    await first.complete(await sendAll(first), {}, signal);
    // Our own look finds nothing: as if the object came between it and the completion.
    server.inject({ kind: "HeadObject", fate: { act: "refuse", status: 404, code: "NoSuchKey" } });
    await expect(second.complete(parts, {}, signal)).rejects.toMatchObject({ code: "ALREADY_EXISTS" });
    expect((await server.read("images", KEY)).equals(bytes)).toBe(true);
  });

  test("is replaced when asked", async () => {
    await using server = await startStrictOss();
    await using destination = await open(server);
    const first = await destination.begin(REPLACE, signal);
    await first.complete(await sendAll(first, randomBytes(bytes.length)), {}, signal);
    const second = await destination.begin(REPLACE, signal);
    await second.complete(await sendAll(second), {}, signal);
    expect((await server.read("images", KEY)).equals(bytes)).toBe(true);
  });
});

describe("an aborted upload", () => {
  test("leaves no parts and no zeros, and may be aborted again", async () => {
    await using server = await startStrictOss();
    await using destination = await open(server);
    const upload = await destination.begin(REFUSE, signal);
    await sendAll(upload);
    await upload.zeros({ number: 7, length: 2 * MiB, offset: 0 }, signal);
    await upload.abort(signal);
    expectNothing(server);
    await upload.abort(signal);
  });

  test("leaves nothing of zeros that a process before a crash had begun", async () => {
    await using server = await startStrictOss();
    await using destination = await open(server);
    const upload = await destination.begin(REFUSE, signal);
    // The crash comes while the second rung is made: half of its copies are there.
    const stop = new AbortController();
    server.inject({ kind: "UploadPartCopy", nth: 30, fate: { act: "hold" } });
    const zeros = upload.zeros({ number: 1, length: 2 * MiB, offset: 0 }, stop.signal);
    await expect.poll(() => server.count("UploadPartCopy")).toBeGreaterThanOrEqual(30);
    stop.abort();
    await expect(zeros).rejects.toThrow();
    expect(server.bucket("images").uploads.size).toBe(2);
    const again = await destination.resume(upload.token, REFUSE, signal);
    await again.abort(signal);
    expectNothing(server);
  });

  test("takes back what a lost completion had published", async () => {
    await using server = await startStrictOss();
    await using destination = await open(server);
    const upload = await destination.begin(REFUSE, signal);
    const parts = await sendAll(upload);
    const stop = new AbortController();
    server.inject({ kind: "CompleteMultipartUpload", fate: { act: "hold" } });
    const completing = upload.complete(parts, {}, stop.signal);
    await expect.poll(() => server.bucket("images").keys().length).toBe(1);
    stop.abort();
    await expect(completing).rejects.toThrow();
    await upload.abort(signal);
    expectNothing(server);
  });

  test("does not take back the object of another", async () => {
    await using server = await startStrictOss();
    await using destination = await open(server);
    const [first, second] = [
      await destination.begin(REFUSE, signal),
      await destination.begin(REFUSE, signal),
    ];
    await first.complete(await sendAll(first), {}, signal);
    await second.abort(signal);
    expect(server.bucket("images").keys()).toEqual([KEY]);
  });

  test("is aborted again while parts in flight land", async () => {
    await using server = await startStrictOss();
    await using destination = await open(server);
    const upload = await destination.begin(REFUSE, signal);
    await sendOne(upload, 1);
    // The first abort is answered and not done, as when a part lands right after it.
    server.inject({
      kind: "AbortMultipartUpload",
      fate: { act: "refuse", status: 404, code: "NoSuchUpload" },
    });
    await upload.abort(signal);
    expect(server.count("AbortMultipartUpload")).toBe(2);
    expectNothing(server);
  });
});

describe("a resumed upload", () => {
  test("sees every part over several pages, and completes", async () => {
    await using server = await startStrictOss();
    await using destination = await open(server);
    const upload = await destination.begin(REFUSE, signal);
    const receipts: PartReceipt[] = [];
    for (let number = 1; number <= 1203; number += 1) {
      receipts.push(
        await upload.zeros({ number, length: 100 * KiB, offset: (number - 1) * 100 * KiB }, signal),
      );
    }
    const again = await destination.resume({ ...upload.token }, REFUSE, signal);
    const before = server.count("ListParts");
    const held = await all(again.held(signal));
    expect(server.count("ListParts") - before).toBe(2);
    expect(held.map(({ number, length, etag }) => ({ number, length, etag }))).toEqual(
      receipts.map(({ number, length, etag }) => ({ number, length, etag })),
    );
    const landed = await again.complete(receipts, {}, signal);
    expect(landed.size).toBe(1203 * 100 * KiB);
    expect(server.bucket("images").keys()).toEqual([KEY]);
  });

  test("is not found when it was aborted, completed, or belongs elsewhere", async () => {
    await using server = await startStrictOss();
    await using destination = await open(server);
    const upload = await destination.begin(REFUSE, signal);
    const { token } = upload;
    const other = await open(server, {}, { bucket: "images", key: "other" });
    await expect(other.resume(token, REFUSE, signal)).rejects.toMatchObject({ code: "NOT_FOUND" });
    await upload.abort(signal);
    await expect(destination.resume(token, REFUSE, signal)).rejects.toMatchObject({
      code: "NOT_FOUND",
      details: { published: false },
    });
    const done = await destination.begin(REFUSE, signal);
    await done.complete(await sendAll(done), {}, signal);
    await expect(destination.resume(done.token, REFUSE, signal)).rejects.toMatchObject({
      code: "NOT_FOUND",
      details: { published: true },
    });
  });
});

describe("a completion whose reply is lost", () => {
  test.each([REFUSE, REPLACE])("counts when the object is ours ($existing)", async (intent) => {
    await using server = await startStrictOss();
    await using destination = await open(server);
    const upload = await destination.begin(intent, signal);
    const parts = await sendAll(upload);
    server.inject({ kind: "CompleteMultipartUpload", fate: { act: "cut", when: "after" } });
    const landed = await upload.complete(parts, {}, signal);
    expect(landed.confirmed).toEqual({ crc64xz: crcOf(bytes) });
    expect(server.count("CompleteMultipartUpload")).toBe(2);
    expect(await upload.complete(parts, {}, signal)).toEqual(landed);
  });

  test("counts when it is asked for again from the beginning", async () => {
    await using server = await startStrictOss();
    await using destination = await open(server);
    const upload = await destination.begin(REFUSE, signal);
    const parts = await sendAll(upload);
    const stop = new AbortController();
    server.inject({ kind: "CompleteMultipartUpload", fate: { act: "hold" } });
    const completing = upload.complete(parts, {}, stop.signal);
    await expect.poll(() => server.bucket("images").keys().length).toBe(1);
    stop.abort();
    await expect(completing).rejects.toThrow();
    expect(await upload.complete(parts, {}, signal)).toMatchObject({ size: bytes.length });
  });

  test("does not count when the object is not ours", async () => {
    await using server = await startStrictOss();
    await using destination = await open(server);
    const [upload, other] = [
      await destination.begin(REPLACE, signal),
      await destination.begin(REPLACE, signal),
    ];
    const parts = await sendAll(upload);
    await other.complete(await sendAll(other), {}, signal);
    await upload.abort(signal);
    await expect(upload.complete(parts, {}, signal)).rejects.toMatchObject({
      code: "NOT_FOUND",
      details: { ossCode: "NoSuchUpload" },
    });
  });
});
