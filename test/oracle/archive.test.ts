/** A tar.gz that the real program has landed in a real Swift, by its own API and by that of S3, unpacked by tar. */
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Program } from "../cli/program.ts";
import { SWIFT, SWIFT_REASON, type SwiftServer, startSwift } from "../support/swift.ts";
import { makeDisk, noise, writeSparse } from "./disk.ts";

const MiB = 1024 ** 2;
/** Several parts of each API; the last of them holds next to nothing. */
const DISK = Buffer.concat([
  noise(70 * MiB),
  Buffer.alloc(90 * MiB),
  makeDisk(40 * MiB),
  Buffer.alloc(MiB + 77),
]);

describe.skipIf(!SWIFT)(`a tar.gz in Swift${SWIFT_REASON}`, () => {
  let swift: SwiftServer;
  let program: Program;
  beforeAll(async () => {
    swift = await startSwift();
    const { accessKey, secretKey, endpoint } = swift.s3;
    program = new Program({
      ST_AUTH: swift.authUrl,
      ST_USER: swift.user,
      ST_KEY: swift.key,
      AWS_ACCESS_KEY_ID: accessKey,
      AWS_SECRET_ACCESS_KEY: secretKey,
      AWS_ENDPOINT_URL: endpoint,
      AWS_REGION: "us-east-1",
    });
    writeSparse(program.path("disk.raw"), DISK);
    client("post", "images");
  });
  afterAll(async () => {
    program[Symbol.dispose]();
    await swift.stop();
  });

  function client(...args: string[]): void {
    execFileSync("swift", ["-A", swift.authUrl, "-U", swift.user, "-K", swift.key, "-q", ...args]);
  }

  it.each(["swift", "s3"])("lands by way of %s, and tar finds the disk in it", async (scheme) => {
    const name = `by-${scheme}.raw`;
    const place = `${scheme}://images/${name}.tar.gz`;
    const { status, stderr } = await program.run(
      "transfer",
      program.path("disk.raw"),
      place,
      "--format",
      "tar.gz",
    );
    expect([status, stderr]).toEqual([0, ""]);
    const archive = program.path(`${name}.tar.gz`);
    client("download", "images", `${name}.tar.gz`, "-o", archive);
    mkdirSync(program.path(scheme));
    execFileSync("tar", ["xzf", archive, "-C", program.path(scheme)]);
    expect(readFileSync(program.path(`${scheme}/${name}`)).equals(DISK)).toBe(true);
  });
});
