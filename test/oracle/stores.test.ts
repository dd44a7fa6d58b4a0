/** A file system full of real files, landed in real stores by the real program, against qemu-img and real clients. */
import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  closeSync,
  createReadStream,
  ftruncateSync,
  openSync,
  readdirSync,
  statSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { request } from "undici";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openS3 } from "../../src/store/s3/destination.ts";
import { Program } from "../cli/program.ts";
import { CEPH, CEPH_REASON, startCeph } from "../support/ceph.ts";
import { QEMU, QEMU_REASON, qemuImg } from "../support/qemu.ts";
import { SWIFT, SWIFT_REASON, type SwiftServer, startSwift } from "../support/swift.ts";
import { noise } from "./disk.ts";

const GiB = 1024 ** 3;
const MiB = 1024 ** 2;
const MKE2FS =
  spawnSync("mke2fs", ["-V"], { env: { PATH: `${process.env["PATH"]}:/sbin:/usr/sbin` } }).error ===
  undefined;

interface S3Server {
  readonly endpoint: string;
  readonly accessKey: string;
  readonly secretKey: string;
}

/** Credentials as the program's environment wants them. */
function s3Environment(server: S3Server): Record<string, string> {
  return {
    AWS_ACCESS_KEY_ID: server.accessKey,
    AWS_SECRET_ACCESS_KEY: server.secretKey,
    AWS_ENDPOINT_URL: server.endpoint,
    AWS_REGION: "us-east-1",
  };
}

function swiftEnvironment(swift: SwiftServer): Record<string, string> {
  return { ST_AUTH: swift.authUrl, ST_USER: swift.user, ST_KEY: swift.key };
}

async function transferred(program: Program, ...args: string[]): Promise<Record<string, unknown>> {
  const { status, stdout, stderr } = await program.run("transfer", "--json", ...args);
  expect(stderr).toBe("");
  expect(status).toBe(0);
  return JSON.parse(stdout.trimEnd().split("\n").at(-1) ?? "{}") as Record<string, unknown>;
}

async function sha256(chunks: AsyncIterable<Uint8Array>): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(chunks, hash);
  return hash.digest("hex");
}

const fileSha256 = (path: string): Promise<string> => sha256(createReadStream(path));

/** A plain GET, by nothing but a URL that the SDK has signed. */
async function getSha256(server: S3Server, bucket: string, key: string): Promise<string> {
  const config = {
    endpoint: server.endpoint,
    region: "us-east-1",
    accessKeyId: server.accessKey,
    secretAccessKey: server.secretKey,
  };
  const signal = AbortSignal.timeout(60_000);
  await using destination = await openS3(config, { bucket, key }, signal);
  await using source = await destination.source(signal);
  const recipe = await source.recipe(signal);
  if (recipe.kind !== "http") throw new Error("an object in S3 is read over HTTP");
  const { body } = await request(recipe.url, { headers: recipe.headers });
  return sha256(body);
}

describe.skipIf(!QEMU || !MKE2FS)(
  `a real file system${QEMU_REASON}${MKE2FS ? "" : " (skipped: mke2fs is not installed)"}`,
  () => {
    const world = new Program();
    const qcow2 = world.path("disk.qcow2");
    let expected = "";

    beforeAll(async () => {
      const raw = world.path("disk.raw");
      execFileSync("truncate", ["-s", "256M", raw]);
      // The sources and dependencies of this very program are real files.
      const files = join(import.meta.dirname, "../../node_modules/@aws-sdk");
      execFileSync("mke2fs", ["-q", "-t", "ext4", "-d", files, raw], {
        env: { PATH: `${process.env["PATH"]}:/sbin:/usr/sbin` },
      });
      qemuImg("convert", "-c", "-f", "raw", "-O", "qcow2", raw, qcow2);
      qemuImg("convert", "-f", "qcow2", "-O", "raw", qcow2, raw);
      expected = await fileSha256(raw);
    });
    afterAll(() => world[Symbol.dispose]());

    it.skipIf(!SWIFT)(
      `lands in Swift as a large object that 'swift download' gives back${SWIFT_REASON}`,
      async () => {
        const swift = await startSwift();
        try {
          using program = new Program(swiftEnvironment(swift));
          const done = await transferred(
            program,
            qcow2,
            "swift://images/disk.raw",
            "--format",
            "raw",
            "--verify",
          );
          expect(done).toMatchObject({ event: "done", size: 256 * MiB, verified: true });
          const copy = program.path("copy.raw");
          const login = ["-A", swift.authUrl, "-U", swift.user, "-K", swift.key];
          execFileSync("swift", [...login, "-q", "download", "images", "disk.raw", "-o", copy]);
          expect(await fileSha256(copy)).toBe(expected);
          const stat = execFileSync("swift", [...login, "stat", "images", "disk.raw"], { encoding: "utf8" });
          expect(stat).toMatch(/X-Static-Large-Object: True/i);
        } finally {
          await swift.stop();
        }
      },
    );

    it.skipIf(!SWIFT)(
      `lands in Swift with its compressed clusters as they are, and qemu-img finds the same disk${SWIFT_REASON}`,
      async () => {
        const swift = await startSwift();
        try {
          using program = new Program(swiftEnvironment(swift));
          const place = "swift://images/disk.qcow2";
          const done = await transferred(program, qcow2, place, "--compression", "zlib");
          expect(done).not.toHaveProperty("guestDigest");
          const copy = program.path("copy.qcow2");
          const login = ["-A", swift.authUrl, "-U", swift.user, "-K", swift.key];
          execFileSync("swift", [...login, "-q", "download", "images", "disk.qcow2", "-o", copy]);
          expect(qemuImg("check", "-f", "qcow2", copy)).toContain("No errors were found");
          qemuImg("compare", "-f", "qcow2", "-F", "qcow2", qcow2, copy);
        } finally {
          await swift.stop();
        }
      },
    );

    it.skipIf(!SWIFT)(
      `lands through Swift's S3 API, and a plain GET gives it back${SWIFT_REASON}`,
      async () => {
        const swift = await startSwift();
        try {
          using program = new Program({ ...s3Environment(swift.s3), ...swiftEnvironment(swift) });
          // The container is made by the first object.
          await transferred(program, qcow2, "swift://images/first.qcow2");
          await transferred(program, qcow2, "s3://images/disk.raw", "--format", "raw");
          expect(await getSha256(swift.s3, "images", "disk.raw")).toBe(expected);
        } finally {
          await swift.stop();
        }
      },
    );

    it.skipIf(!CEPH)(`lands in a Ceph gateway, and a plain GET gives it back${CEPH_REASON}`, async () => {
      const ceph = await startCeph();
      try {
        using program = new Program(s3Environment(ceph));
        const { S3Client, CreateBucketCommand } = await import("@aws-sdk/client-s3");
        const client = new S3Client({
          endpoint: ceph.endpoint,
          region: "us-east-1",
          forcePathStyle: true,
          credentials: { accessKeyId: ceph.accessKey, secretAccessKey: ceph.secretKey },
        });
        await client.send(new CreateBucketCommand({ Bucket: "images" }));
        client.destroy();
        await transferred(program, qcow2, "s3://images/disk.raw", "--format", "raw");
        expect(await getSha256(ceph, "images", "disk.raw")).toBe(expected);
        await transferred(program, qcow2, "s3://images/disk.qcow2", "--compression", "zstd");
        const copy = program.path("copy.raw");
        await transferred(program, "s3://images/disk.qcow2", copy, "--format", "raw");
        expect(await fileSha256(copy)).toBe(expected);
      } finally {
        await ceph.stop();
      }
    });
  },
);

describe.skipIf(!SWIFT)(`a sparse disk of 8 GiB with 1 GiB of data${SWIFT_REASON}`, () => {
  it("puts at most 1.02 GiB on the wire to Swift as raw", async () => {
    const swift = await startSwift();
    try {
      using program = new Program(swiftEnvironment(swift));
      const raw = program.path("sparse.raw");
      const file = openSync(raw, "w");
      ftruncateSync(file, 8 * GiB);
      // 64 runs of 16 MiB that begin on no border of a MiB.
      const data = noise(16 * MiB);
      for (let run = 0; run < 64; run += 1)
        writeSync(file, data, 0, data.length, run * 128 * MiB + run * 12_288);
      closeSync(file);
      const done = await transferred(program, raw, "swift://images/sparse.raw");
      expect(done["size"]).toBe(8 * GiB);
      expect(done["sent"]).toBeLessThanOrEqual(1.02 * GiB);
      // What the program counts is what the store holds.
      const login = ["-A", swift.authUrl, "-U", swift.user, "-K", swift.key];
      const held = execFileSync("swift", [...login, "stat", "images_segments"], { encoding: "utf8" });
      expect(Number(/Bytes: (\d+)/.exec(held)?.[1])).toBeLessThanOrEqual(1.02 * GiB);
      expect(readdirSync(program.root).filter((name) => statSync(program.path(name)).isFile())).toEqual([
        "sparse.raw",
      ]);
    } finally {
      await swift.stop();
    }
  });
});
