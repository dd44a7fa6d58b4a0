/** What must hold at every real S3 server: the suite that ceph.test.ts and swift.test.ts run. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openAccess, type S3Access } from "../../../src/store/s3/client.ts";
import type { S3Config, S3Location } from "../../../src/store/s3/config.ts";
import { listUploads, openS3 } from "../../../src/store/s3/destination.ts";
import { s3Source } from "../../../src/store/s3/source.ts";
import { uploadStream } from "../../../src/store/s3/stream.ts";
import type { Destination } from "../../../src/store/store.ts";
import { startCuttingProxy } from "./cutting-proxy.ts";
import { MiB, md5, noise, sendPart } from "./worker.ts";

export interface RealServer {
  readonly endpoint: string;
  readonly accessKey: string;
  readonly secretKey: string;
  stop(): Promise<void>;
}

const BUCKET = "images";
const signal = AbortSignal.timeout(120_000);

export function behavesAsS3(title: string, available: boolean, start: () => Promise<RealServer>): void {
  describe.skipIf(!available)(title, () => {
    let server: RealServer;
    let config: S3Config;
    let access: S3Access;

    beforeAll(async () => {
      server = await start();
      config = {
        endpoint: server.endpoint,
        accessKeyId: server.accessKey,
        secretAccessKey: server.secretKey,
      };
      access = await openAccess(config);
      const command = new access.sdk.CreateBucketCommand({ Bucket: BUCKET });
      const place = { bucket: BUCKET, key: "" };
      await access.call(place, "bucket", 20_000, (client, o) => client.send(command, o), signal);
    });
    afterAll(async () => {
      access?.close();
      await server?.stop();
    });

    const at = (key: string): S3Location => ({ bucket: BUCKET, key });
    const open = (key: string): Promise<Destination> => openS3(config, at(key), signal);

    /** Everything in the bucket whose name begins like this. */
    async function keys(prefix: string): Promise<string[]> {
      const command = new access.sdk.ListObjectsV2Command({ Bucket: BUCKET, Prefix: prefix });
      const page = await access.call(
        at(prefix),
        "list",
        20_000,
        (client, o) => client.send(command, o),
        signal,
      );
      return (page.Contents ?? []).map((item) => item.Key ?? "");
    }

    async function put(key: string, bytes: Uint8Array): Promise<void> {
      const command = new access.sdk.PutObjectCommand({ Bucket: BUCKET, Key: key, Body: bytes });
      await access.call(at(key), "put", 20_000, (client, o) => client.send(command, o), signal);
    }

    async function get(key: string): Promise<Buffer> {
      await using source = await s3Source(config, at(key), signal);
      const bytes = Buffer.alloc(source.size);
      await source.read(bytes, 0, signal);
      return bytes;
    }

    it("lands parts sent in any order with runs of zeros between them", async () => {
      const key = "dir/an image+ü & more.raw";
      await using destination = await open(key);
      const upload = await destination.begin({ existing: "refuse" }, signal);
      const first = noise(5 * MiB, 1);
      const last = noise(70_000, 2);
      const [p7, z2, p1, z3] = await Promise.all([
        sendPart(upload, 7, last, signal),
        upload.zeros({ number: 2, length: 40 * MiB, offset: 5 * MiB }, signal),
        sendPart(upload, 1, first, signal),
        upload.zeros({ number: 3, length: 6 * MiB + 4096, offset: 45 * MiB }, signal),
      ]);
      expect(z2).toMatchObject({ zero: true, length: 40 * MiB, etag: md5(Buffer.alloc(40 * MiB)) });
      const landed = await upload.complete([p1, z2, z3, p7], {}, signal);

      const expected = Buffer.concat([first, Buffer.alloc(46 * MiB + 4096), last]);
      const parts = [p1, z2, z3, p7].map((part) => Buffer.from(part.etag, "hex"));
      expect(landed).toEqual({
        name: `s3://${BUCKET}/${key}`,
        size: expected.length,
        etag: `${md5(Buffer.concat(parts))}-4`,
        confirmed: {},
      });
      expect((await get(key)).equals(expected)).toBe(true);
      expect(await keys("dir/")).toEqual([key]);
      expect(await listUploads(config, at(key), signal)).toEqual([]);
    });

    it("refuses an object that is there, before a byte is sent", async () => {
      await put("there", noise(10, 1));
      await using destination = await open("there");
      await expect(destination.begin({ existing: "refuse" }, signal)).rejects.toMatchObject({
        code: "ALREADY_EXISTS",
      });
      expect(await listUploads(config, at("there"), signal)).toEqual([]);
    });

    it("replaces an object when told to", async () => {
      await put("old", noise(10, 1));
      await using destination = await open("old");
      const upload = await destination.begin({ existing: "replace" }, signal);
      const part = await sendPart(upload, 1, noise(20, 2), signal);
      await upload.complete([part], {}, signal);
      expect(await get("old")).toEqual(noise(20, 2));
    });

    it("refuses an object that came while the parts were sent, and leaves it alone", async () => {
      await using destination = await open("race");
      const upload = await destination.begin({ existing: "refuse" }, signal);
      const part = await sendPart(upload, 1, noise(20, 2), signal);
      await put("race", noise(10, 1));
      await expect(upload.complete([part], {}, signal)).rejects.toMatchObject({ code: "ALREADY_EXISTS" });
      await upload.abort(signal);
      expect(await get("race")).toEqual(noise(10, 1));
      expect(await listUploads(config, at("race"), signal)).toEqual([]);
    });

    it("leaves nothing behind when aborted, as often as one likes", async () => {
      await using destination = await open("gone");
      const upload = await destination.begin({ existing: "refuse" }, signal);
      await sendPart(upload, 1, noise(5 * MiB, 1), signal);
      await upload.zeros({ number: 2, length: 9 * MiB, offset: 5 * MiB }, signal);
      expect((await keys("gone")).length).toBe(2);
      await upload.abort(signal);
      await upload.abort(signal);
      expect(await keys("gone")).toEqual([]);
      expect(await listUploads(config, at("gone"), signal)).toEqual([]);
    });

    it("goes on with an upload in another process, from what the store holds", async () => {
      const first = noise(5 * MiB, 1);
      let token: Readonly<Record<string, string | number | boolean>>;
      {
        await using destination = await open("resumed");
        const upload = await destination.begin({ existing: "refuse" }, signal);
        await sendPart(upload, 1, first, signal);
        // Needs a zero object that the other process has no use for.
        await upload.zeros({ number: 2, length: 9 * MiB, offset: 5 * MiB }, signal);
        token = JSON.parse(JSON.stringify(upload.token));
      }
      await using destination = await open("resumed");
      const upload = await destination.resume(token, { existing: "refuse" }, signal);
      const held = await Array.fromAsync(upload.held(signal));
      expect(held).toEqual([
        { number: 1, length: 5 * MiB, etag: md5(first) },
        { number: 2, length: 9 * MiB, etag: md5(Buffer.alloc(9 * MiB)) },
      ]);
      const more = await upload.zeros({ number: 3, length: 6 * MiB, offset: 14 * MiB }, signal);
      const receipts = held.map((part) => ({ ...part, checksums: {} }));
      await upload.complete([...receipts, more], {}, signal);
      expect((await get("resumed")).equals(Buffer.concat([first, Buffer.alloc(15 * MiB)]))).toBe(true);
      expect(await keys("resumed")).toEqual(["resumed"]);
    });

    it("does not resume an upload that the store no longer knows", async () => {
      await using destination = await open("lost");
      const upload = await destination.begin({ existing: "refuse" }, signal);
      await upload.abort(signal);
      await expect(destination.resume(upload.token, { existing: "refuse" }, signal)).rejects.toMatchObject({
        code: "NOT_FOUND",
      });
    });

    it("finds its object when the reply to completing is lost", async () => {
      await using proxy = await startCuttingProxy(server.endpoint, /^POST .*[?&]uploadId=/, 1);
      await using destination = await openS3({ ...config, endpoint: proxy.endpoint }, at("unheard"), signal);
      const upload = await destination.begin({ existing: "refuse" }, signal);
      const part = await sendPart(upload, 1, noise(100, 3), signal);
      const landed = await upload.complete([part], {}, signal);
      expect(proxy.cuts).toBe(1);
      expect(landed.size).toBe(100);
      expect(await get("unheard")).toEqual(noise(100, 3));
      // Asked again, the answer is the same.
      expect(await upload.complete([part], {}, signal)).toEqual(landed);
    });

    it("lands an empty object", async () => {
      await using destination = await open("empty");
      const upload = await destination.begin({ existing: "refuse" }, signal);
      expect(await upload.complete([], {}, signal)).toMatchObject({ size: 0 });
      expect(await keys("empty")).toEqual(["empty"]);
      expect(await listUploads(config, at("empty"), signal)).toEqual([]);
    });

    it("removes what interrupted uploads of a key left, and nothing of its neighbours", async () => {
      await using destination = await open("orphan");
      const upload = await destination.begin({ existing: "refuse" }, signal);
      await upload.zeros({ number: 1, length: 5 * MiB, offset: 0 }, signal);
      await using neighbour = await open("orphan2");
      const other = await neighbour.begin({ existing: "refuse" }, signal);
      await using again = await open("orphan");
      await again.removeOrphans(signal);
      expect(await keys("orphan")).toEqual([]);
      expect((await listUploads(config, at("orphan2"), signal)).length).toBe(1);
      await other.abort(signal);
    });

    it.each([
      ["a wrong secret", { secretAccessKey: "wrong" }, BUCKET, "CREDENTIALS", /AWS_SECRET_ACCESS_KEY/],
      ["an unknown key", { accessKeyId: "nobody" }, BUCKET, "CREDENTIALS", /AWS_ACCESS_KEY_ID/],
      ["a missing bucket", {}, "no-such-bucket", "NOT_FOUND", /bucket "no-such-bucket" does not exist/],
    ] as const)("says what to do about %s", async (_, change, bucket, code, message) => {
      await using destination = await openS3({ ...config, ...change }, { bucket, key: "x" }, signal);
      const failure = destination.begin({ existing: "refuse" }, signal);
      await expect(failure).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
      await expect(failure).rejects.not.toMatchObject({ message: expect.stringContaining(server.secretKey) });
    });

    it("reads ranges, and notices that the object is another one now", async () => {
      const bytes = noise(3 * MiB, 5);
      await put("source", bytes);
      await using source = await s3Source(config, at("source"), signal);
      expect(source.size).toBe(bytes.length);
      const into = Buffer.alloc(1000);
      await source.read(into, 1_000_000, signal);
      expect(into.equals(bytes.subarray(1_000_000, 1_001_000))).toBe(true);
      await source.check(signal);
      const recipe = await source.recipe(signal);
      expect(recipe).toMatchObject({ kind: "http", size: bytes.length });
      expect(source.name).toBe(`s3://${BUCKET}/source`);

      await put("source", noise(3 * MiB, 6));
      await expect(source.read(into, 0, signal)).rejects.toMatchObject({ code: "SOURCE_CHANGED" });
      await expect(source.check(signal)).rejects.toMatchObject({ code: "SOURCE_CHANGED" });
    });

    it("has no source where there is no object", async () => {
      await expect(s3Source(config, at("nothing"), signal)).rejects.toMatchObject({ code: "NOT_FOUND" });
    });

    it.each([
      ["of several parts", 12 * MiB + 3, 3],
      ["of exactly one part", 5 * MiB, 1],
      ["shorter than a part", 1, 1],
      ["with nothing in it", 0, 0],
    ])("uploads a stream %s whose length it is not told", async (_, length, parts) => {
      const key = `stream-${length}`;
      const bytes = noise(length, 9);
      const told: number[] = [];
      async function* pieces() {
        for (let from = 0; from < length; from += 300_000) yield bytes.subarray(from, from + 300_000);
      }
      const landed = await uploadStream(
        config,
        at(key),
        pieces(),
        { existing: "refuse", partSize: 5 * MiB, concurrency: 2, onProgress: (sent) => told.push(sent) },
        signal,
      );
      expect(landed.size).toBe(length);
      expect(told.length).toBe(parts);
      expect(told.at(-1) ?? 0).toBe(length);
      expect(md5(await get(key))).toBe(md5(bytes));
      expect(await listUploads(config, at(key), signal)).toEqual([]);
    });

    it("leaves nothing of a stream that stands still and is aborted", async () => {
      const abort = new AbortController();
      const still = Promise.withResolvers<never>();
      async function* pieces() {
        yield noise(11 * MiB, 1);
        await still.promise;
      }
      const uploading = uploadStream(
        config,
        at("broken"),
        pieces(),
        { existing: "refuse", partSize: 5 * MiB, onProgress: (sent) => sent >= 10 * MiB && abort.abort() },
        abort.signal,
      );
      await expect(uploading).rejects.toMatchObject({ code: "CANCELED" });
      expect(await listUploads(config, at("broken"), signal)).toEqual([]);
      expect(await keys("broken")).toEqual([]);
    });

    it("leaves nothing of a stream that breaks, and says what broke", async () => {
      async function* pieces() {
        yield noise(6 * MiB, 1);
        throw Object.assign(new Error("read EIO"), { code: "EIO" });
      }
      const uploading = uploadStream(
        config,
        at("cracked"),
        pieces(),
        { existing: "refuse", partSize: 5 * MiB },
        signal,
      );
      await expect(uploading).rejects.toMatchObject({ code: "IO" });
      expect(await listUploads(config, at("cracked"), signal)).toEqual([]);
    });
  });
}
