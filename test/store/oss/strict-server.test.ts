/** Alibaba's own client against the strict stand-in: what the one takes for OSS, the other must be. */
import { randomBytes } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import AliOss, { type Options } from "ali-oss";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { plainCrc } from "../../support/oss/crc.ts";
import { type StrictOss, startStrictOss, TEST_ACCOUNT } from "../../support/oss/server.ts";

let directory: string;
let file: string;
const bytes = randomBytes(450 * 1024);

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "ali-oss-"));
  file = join(directory, "image");
  await writeFile(file, bytes);
});

afterAll(async () => {
  await rm(directory, { recursive: true, force: true });
});

function clientOf(server: StrictOss, options: Partial<Options> = {}): AliOss {
  const { accessKeyId, accessKeySecret } = TEST_ACCOUNT;
  return new AliOss({
    region: "oss-cn-hangzhou",
    accessKeyId,
    accessKeySecret,
    bucket: "images",
    endpoint: server.endpoint,
    ...options,
  });
}

const PART = 150 * 1024;

describe.each([
  { signature: "V1", addressing: "virtual-host", authorizationV4: false, sldEnable: false },
  { signature: "V1", addressing: "path", authorizationV4: false, sldEnable: true },
  { signature: "V4", addressing: "virtual-host", authorizationV4: true, sldEnable: false },
  { signature: "V4", addressing: "path", authorizationV4: true, sldEnable: true },
])("ali-oss with $signature signatures and $addressing addressing", (mode) => {
  const open = (server: StrictOss, more: Partial<Options> = {}) =>
    clientOf(server, {
      authorizationV4: mode.authorizationV4,
      sldEnable: mode.sldEnable,
      ...(mode.sldEnable ? { endpoint: `http://localhost:${server.port}` } : {}),
      ...more,
    });

  test("puts, heads, gets, copies, lists and deletes objects", async () => {
    await using server = await startStrictOss();
    const client = open(server);
    const put = await client.put("a dir/ünï (1)+*!.img", bytes);
    expect(put.res.headers["x-oss-hash-crc64ecma"]).toBe(String(plainCrc(bytes)));
    expect(server.seen[0]?.addressing).toBe(mode.addressing);
    const head = await client.head("a dir/ünï (1)+*!.img");
    expect(head.res.headers["content-length"]).toBe(String(bytes.length));
    expect((await client.get("a dir/ünï (1)+*!.img")).content.equals(bytes)).toBe(true);
    await client.copy("copy", "a dir/ünï (1)+*!.img");
    const range = await client.get("copy", { headers: { Range: "bytes=1000-1999" } });
    expect(range.res.status).toBe(206);
    expect(range.content.equals(bytes.subarray(1000, 2000))).toBe(true);
    await client.put("b/1", Buffer.from("1"));
    const first = await client.list({ "max-keys": 2 });
    expect(first.objects?.map(({ name }) => name)).toEqual(["a dir/ünï (1)+*!.img", "b/1"]);
    expect(first.isTruncated).toBe(true);
    const second = await client.listV2({ "max-keys": 2, "start-after": "b/1" });
    expect(second.objects?.map(({ name }) => name)).toEqual(["copy"]);
    await client.delete("copy");
    await expect(client.get("copy")).rejects.toMatchObject({ status: 404, code: "NoSuchKey" });
    await client.deleteMulti(["a dir/ünï (1)+*!.img", "b/1"]);
    expect(server.bucket("images").keys()).toEqual([]);
    expect(server.blobs).toBe(0);
  });

  test("uploads in parts, lists them in pages, and completes", async () => {
    await using server = await startStrictOss();
    const client = open(server);
    const { uploadId } = await client.initMultipartUpload("image");
    const parts = [];
    for (const number of [3, 1, 2]) {
      const start = (number - 1) * PART;
      const { etag } = await client.uploadPart("image", uploadId, number, file, start, start + PART);
      parts.push({ number, etag });
    }
    const page = await client.listParts("image", uploadId, { "max-parts": 2, "part-number-marker": 1 });
    expect(page.parts.map((part) => Number(part.PartNumber))).toEqual([2, 3]);
    const short = await client.listParts("image", uploadId, { "max-parts": 2 });
    expect(short.isTruncated).toBe("true");
    expect((await client.listUploads({ prefix: "im" })).uploads).toMatchObject([{ name: "image", uploadId }]);
    const done = await client.completeMultipartUpload("image", uploadId, parts);
    expect(done.res.headers["x-oss-hash-crc64ecma"]).toBe(String(plainCrc(bytes)));
    expect((await server.read("images", "image")).equals(bytes)).toBe(true);
    expect((await client.listUploads({})).uploads).toEqual([]);
  });

  test("aborts an upload and leaves nothing", async () => {
    await using server = await startStrictOss();
    const client = open(server);
    const { uploadId } = await client.initMultipartUpload("image");
    await client.uploadPart("image", uploadId, 1, file, 0, PART);
    expect(server.blobs).toBe(1);
    await client.abortMultipartUpload("image", uploadId);
    expect(server.blobs).toBe(0);
    await expect(client.listParts("image", uploadId)).rejects.toMatchObject({ code: "NoSuchUpload" });
  });

  test("runs its own multipart upload and multipart copy", async () => {
    await using server = await startStrictOss();
    const client = open(server);
    await client.multipartUpload("image", file, { partSize: 100 * 1024, parallel: 3 });
    expect((await server.read("images", "image")).equals(bytes)).toBe(true);
    await client.multipartUploadCopy(
      "copy",
      { sourceKey: "image", sourceBucketName: "images" },
      { partSize: 100 * 1024 },
    );
    expect((await server.read("images", "copy")).equals(bytes)).toBe(true);
    // Copied parts have no CRC, so the whole has none: OSS does not promise one.
    expect((await client.head("copy")).res.headers["x-oss-hash-crc64ecma"]).toBeUndefined();
  });

  test("is refused with a wrong secret, an unknown key and a bucket that is not there", async () => {
    await using server = await startStrictOss();
    const refused = (more: Partial<Options>, code: string) =>
      expect(open(server, more).put("x", bytes)).rejects.toMatchObject({ code });
    await refused({ accessKeySecret: "wrong" }, "SignatureDoesNotMatch");
    await refused({ accessKeyId: "LTAIother" }, "InvalidAccessKeyId");
    await refused({ bucket: "elsewhere" }, "NoSuchBucket");
    expect(server.blobs).toBe(0);
  });

  test("is refused when its clock is 16 minutes off", async () => {
    await using server = await startStrictOss({ now: () => Date.now() + 16 * 60_000 });
    await expect(open(server).put("x", bytes)).rejects.toMatchObject({ code: "RequestTimeTooSkewed" });
  });

  test("reads through a signed URL until it expires", async () => {
    let ahead = 0;
    await using server = await startStrictOss({ now: () => Date.now() + ahead });
    const client = open(server, { endpoint: `http://localhost:${server.port}`, sldEnable: true });
    await client.put("a b", bytes);
    const url = mode.authorizationV4
      ? await client.signatureUrlV4("GET", 60, undefined, "a b")
      : client.signatureUrl("a b", { expires: 60 });
    expect(Buffer.from(await (await fetch(url)).arrayBuffer()).equals(bytes)).toBe(true);
    ahead = 61_000;
    expect((await fetch(url)).status).toBe(403);
  });
});

describe("the strict stand-in", () => {
  test("refuses parts below 100 KB only when the upload is completed", async () => {
    await using server = await startStrictOss();
    const client = clientOf(server);
    const { uploadId } = await client.initMultipartUpload("image");
    const parts = [];
    for (const number of [1, 2]) {
      const start = (number - 1) * 1000;
      parts.push({
        number,
        ...(await client.uploadPart("image", uploadId, number, file, start, start + 1000)),
      });
    }
    await expect(client.completeMultipartUpload("image", uploadId, parts)).rejects.toMatchObject({
      code: "EntityTooSmall",
      ecCode: "0042-00000213",
    });
  });

  test("refuses a wrong ETag, part numbers beyond 10000 and a wrong Content-MD5", async () => {
    await using server = await startStrictOss();
    const client = clientOf(server);
    const { uploadId } = await client.initMultipartUpload("image");
    await client.uploadPart("image", uploadId, 1, file, 0, PART);
    await expect(
      client.completeMultipartUpload("image", uploadId, [{ number: 1, etag: '"00"' }]),
    ).rejects.toMatchObject({ code: "InvalidPart" });
    await expect(client.uploadPart("image", uploadId, 10_001, file, 0, PART)).rejects.toMatchObject({
      code: "InvalidArgument",
    });
    const md5 = { headers: { "Content-MD5": Buffer.alloc(16).toString("base64") } };
    await expect(client.put("x", bytes, md5)).rejects.toMatchObject({ code: "InvalidDigest" });
    expect(server.blobs).toBe(1);
  });

  test("forbids overwriting, but not where versions are kept", async () => {
    await using server = await startStrictOss({ versioned: ["kept"] });
    const forbid = { headers: { "x-oss-forbid-overwrite": "true" } };
    await clientOf(server).put("x", bytes);
    await expect(clientOf(server).put("x", bytes, forbid)).rejects.toMatchObject({
      code: "FileAlreadyExists",
    });
    const kept = clientOf(server, { bucket: "kept" });
    await kept.put("x", bytes);
    await kept.put("x", bytes, forbid);
    expect(server.bucket("kept").versionCount).toBe(2);
  });

  test("refuses a traffic limit out of range", async () => {
    await using server = await startStrictOss();
    const limit = (value: number) => ({ headers: { "x-oss-traffic-limit": String(value) } });
    await clientOf(server).put("x", bytes, limit(245_760));
    await expect(clientOf(server).put("x", bytes, limit(245_759))).rejects.toMatchObject({
      code: "InvalidArgument",
    });
  });
});
