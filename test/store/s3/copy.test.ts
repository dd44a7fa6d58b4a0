/** Copies between buckets of real S3 servers: the server moves the bytes, and nobody else. */
import { writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Source } from "../../../src/source/source.ts";
import { openAccess, type S3Access } from "../../../src/store/s3/client.ts";
import type { S3Config } from "../../../src/store/s3/config.ts";
import { partCopier } from "../../../src/store/s3/copy.ts";
import { openS3 } from "../../../src/store/s3/destination.ts";
import { s3Source } from "../../../src/store/s3/source.ts";
import type { CopyPart, Destination, PartReceipt } from "../../../src/store/store.ts";
import { type Event, events, Program } from "../../cli/program.ts";
import { CEPH, CEPH_REASON, startCeph } from "../../support/ceph.ts";
import { startMeddler } from "../../support/swift/meddler.ts";
import { SWIFT, SWIFT_REASON, startSwift } from "../../support/swift.ts";
import { refusal, startFakeServer } from "./fake-server.ts";
import type { RealServer } from "./real-server.ts";
import { MiB, md5, noise } from "./worker.ts";

const signal = new AbortController().signal;

async function firstOf(destination: Destination, source: Source): Promise<CopyPart> {
  const parts = await destination.copyParts?.(source, signal);
  if (parts?.[0] === undefined) throw new Error("no copy is offered");
  return parts[0];
}

const SERVERS = [
  [`the S3 API of Swift${SWIFT_REASON}`, SWIFT, startThroughSwift],
  [`a Ceph gateway${CEPH_REASON}`, CEPH, startCeph],
] as const;

async function startThroughSwift(): Promise<RealServer> {
  const swift = await startSwift();
  return { ...swift.s3, stop: swift.stop };
}

describe.each(SERVERS)("a copy inside %s", (_title, available, start) => {
  describe.skipIf(!available)("which is real", { timeout: 60_000 }, () => {
    let server: RealServer;
    let config: S3Config;
    let access: S3Access;
    let program: Program;
    const disk = noise(17 * MiB, 7);
    const small = noise(3 * MiB, 8);

    beforeAll(async () => {
      server = await start();
      const { endpoint, accessKey, secretKey } = server;
      config = { endpoint, accessKeyId: accessKey, secretAccessKey: secretKey };
      access = await openAccess(config);
      for (const bucket of ["from", "into"]) {
        const command = new access.sdk.CreateBucketCommand({ Bucket: bucket });
        await access.call({ bucket, key: "" }, "bucket", 20_000, (sdk, o) => sdk.send(command, o), signal);
      }
      program = programFor(endpoint);
      writeFileSync(program.path("disk.raw"), disk);
      await moved("disk.raw", "s3://from/disk.raw", "--segment-size", "5M");
      await put("small.raw", small);
    }, 60_000);
    afterAll(async () => {
      program?.[Symbol.dispose]();
      access?.close();
      await server?.stop();
    });

    const programFor = (endpoint: string): Program =>
      new Program({
        AWS_ACCESS_KEY_ID: server.accessKey,
        AWS_SECRET_ACCESS_KEY: server.secretKey,
        AWS_ENDPOINT_URL: endpoint,
        AWS_REGION: "us-east-1",
      });
    async function moved(...args: string[]): Promise<Event> {
      const { status, stdout, stderr } = await program.run("transfer", "--json", ...args);
      expect([status, stderr]).toEqual([0, ""]);
      return events(stdout).at(-1) as Event;
    }
    async function put(key: string, bytes: Uint8Array): Promise<void> {
      const command = new access.sdk.PutObjectCommand({ Bucket: "from", Key: key, Body: bytes });
      await access.call({ bucket: "from", key }, "put", 20_000, (sdk, o) => sdk.send(command, o), signal);
    }
    const from = (key: string) => s3Source(config, { bucket: "from", key }, signal);
    async function content(key: string): Promise<Buffer> {
      await using source = await s3Source(config, { bucket: "into", key }, signal);
      const bytes = Buffer.alloc(source.size);
      await source.read(bytes, 0, signal);
      return bytes;
    }

    it("lands the same bytes, and none of them come by", async () => {
      for (const name of ["disk.raw", "small.raw"]) {
        const done = await moved(`s3://from/${name}`, `s3://into/${name}`);
        expect(done).toMatchObject({ sent: 0 });
        expect(done).not.toHaveProperty("guestDigest");
      }
      expect(md5(await content("disk.raw"))).toBe(md5(disk));
      expect(md5(await content("small.raw"))).toBe(md5(small));
    });

    it("lands in parts, each with the MD5 of its bytes, and is held against all of them", async () => {
      await using source = await from("disk.raw");
      await using destination = await openS3(config, { bucket: "into", key: "ranges.raw" }, signal);
      const whole = await firstOf(destination, source);
      const upload = await destination.begin({ existing: "refuse" }, signal);
      const receipts: PartReceipt[] = [];
      const borders = [0, 5 * MiB, 10 * MiB, disk.length];
      for (const number of [1, 2, 3]) {
        const [offset = 0, end = 0] = borders.slice(number - 1);
        const length = end - offset;
        const part = { number, offset, length, from: { ...whole.from, offset } };
        const receipt = await upload.copy?.(part, signal);
        expect(receipt?.etag).toBe(md5(disk.subarray(offset, offset + length)));
        receipts.push(receipt as PartReceipt);
      }
      const held: { readonly etag: string }[] = [];
      for await (const part of upload.held(signal)) held.push(part);
      expect(held.map(({ etag }) => etag)).toEqual(receipts.map(({ etag }) => etag));
      // The parts are those of the source, and so is the ETag.
      const landed = await upload.complete(receipts, {}, signal);
      expect(landed).toMatchObject({ size: disk.length, etag: whole.from.etag });
      expect(md5(await content("ranges.raw"))).toBe(md5(disk));
    });

    it("fails when the object is another one by then, or gone", async () => {
      await put("odd.raw", small);
      await using source = await from("odd.raw");
      await using destination = await openS3(config, { bucket: "into", key: "odd.raw" }, signal);
      const part = await firstOf(destination, source);
      await put("odd.raw", disk.subarray(0, small.length));
      expect(await destination.copyParts?.(source, signal)).toBeUndefined();
      const upload = await destination.begin({ existing: "refuse" }, signal);
      for (const object of ["odd.raw", "gone.raw"]) {
        const copying = upload.copy?.({ ...part, number: 1, from: { ...part.from, object } }, signal);
        await expect(copying).rejects.toMatchObject({ code: "SOURCE_CHANGED" });
      }
      await upload.abort(signal);
    });

    it.each([
      ["keeps the parts of the source", 3, 6, [6, 6, 5]],
      ["does not, where they are not alike", 3, 10, [17]],
      ["does not, where their number is another one", 4, 6, [17]],
    ])("%s, where the server tells of them", async (_what, count, first, lengths) => {
      const told = { "x-amz-mp-parts-count": String(count), "content-length": String(first * MiB) };
      const meddler = await startMeddler(server.endpoint, ({ path }) =>
        path.includes("partNumber=1") ? { status: 200, headers: told } : "pass",
      );
      try {
        const there = { ...config, endpoint: meddler.url };
        await using source = await s3Source(there, { bucket: "from", key: "disk.raw" }, signal);
        await using destination = await openS3(there, { bucket: "into", key: "x" }, signal);
        const parts = await destination.copyParts?.(source, signal);
        expect(parts?.map(({ length }) => length / MiB)).toEqual(lengths);
      } finally {
        await meddler.stop();
      }
    });

    it("is not offered of an object of another server", async () => {
      const meddler = await startMeddler(server.endpoint, () => "pass");
      try {
        await using source = await from("small.raw");
        const elsewhere = { ...config, endpoint: meddler.url };
        await using destination = await openS3(elsewhere, { bucket: "into", key: "x" }, signal);
        expect(await destination.copyParts?.(source, signal)).toBeUndefined();
      } finally {
        await meddler.stop();
      }
    });

    it.each([403, 501])("is sent where copying is refused with %i", async (status) => {
      const meddler = await startMeddler(server.endpoint, ({ headers }) =>
        headers["x-amz-copy-source"] === undefined ? "pass" : { status },
      );
      try {
        using user = programFor(meddler.url);
        const place = `s3://into/refused-${status}.raw`;
        const {
          status: ended,
          stdout,
          stderr,
        } = await user.run("transfer", "--json", "s3://from/disk.raw", place);
        expect([ended, stderr]).toEqual([0, ""]);
        expect(events(stdout).at(-1)).toMatchObject({ sent: disk.length });
      } finally {
        await meddler.stop();
      }
      expect(md5(await content(`refused-${status}.raw`))).toBe(md5(disk));
    });
  });
});

/** OpenStack Swift refuses the condition for large objects. */
it("parts that are refused the condition after another has found that it is misread go on without it, too", async () => {
  const found = Promise.withResolvers<void>();
  const copied = "<CopyPartResult><ETag>&quot;e&quot;</ETag></CopyPartResult>";
  await using server = await startFakeServer({
    Head: () => ({ headers: { etag: '"from-2"', "content-length": "20" } }),
    async UploadPartCopy({ query, headers }) {
      const first = query.get("partNumber") === "1";
      if (headers["x-amz-copy-source-if-match"] === undefined) {
        if (first) found.resolve();
        return { body: copied };
      }
      if (!first) await found.promise;
      return refusal(412, "PreconditionFailed");
    },
  });
  const config = { endpoint: server.endpoint, accessKeyId: "a", secretAccessKey: "b" };
  const access = await openAccess(config);
  const copy = partCopier(access, { bucket: "into", key: "x" }, "upload-1");
  const from = { container: "from", object: "x", size: 20, etag: "from-2" };
  const parts = await Promise.all(
    [1, 2].map((number) => {
      const offset = 10 * (number - 1);
      return copy({ number, offset, length: 10, from: { ...from, offset } }, signal);
    }),
  );
  expect(parts).toMatchObject([
    { number: 1, etag: "e" },
    { number: 2, etag: "e" },
  ]);
  access.close();
});
