import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { events, Program } from "./program.ts";

const program = new Program();
const MiB = 1024 ** 2;

beforeAll(() => {
  const disk = Buffer.alloc(3 * MiB);
  disk.write("a disk that is not all zeros".repeat(3000), MiB);
  writeFileSync(program.path("disk.raw"), disk);
  disk[2 * MiB + 5] = 1;
  writeFileSync(program.path("other.raw"), disk);
});
afterAll(() => program[Symbol.dispose]());

describe("exit status 2, for wrong usage", () => {
  it.each([
    ["an unknown command", ["ferry"]],
    ["an unknown option", ["transfer", "a", "b", "--fast"]],
    ["a missing argument", ["transfer", "disk.raw"]],
    ["an argument too many", ["transfer", "disk.raw", "x", "https://host/x?Signature=hush"]],
    ["a size that is none", ["transfer", "disk.raw", "x", "--segment-size", "many"]],
    ["a count below one", ["transfer", "disk.raw", "x", "--concurrency", "0"]],
    ["more threads than any machine runs", ["transfer", "gone.raw", "x", "--threads", "1025"]],
    ["a compression that is none", ["transfer", "disk.raw", "x", "--compression", "lzma"]],
    ["a level of what is not compressed", ["transfer", "disk.raw", "x", "--format", "raw", "--level", "3"]],
    ["a format that is none", ["transfer", "disk.raw", "x", "--format", "vmdk9"]],
    ["a scheme that is none", ["transfer", "disk.raw", "ftp://host/x"]],
    ["an incomplete URL", ["transfer", "disk.raw", "s3://bucket"]],
  ])("%s", async (_name, args) => {
    const { status, stdout, stderr } = await program.run(...args);
    expect([status, stdout]).toEqual([2, expect.not.stringContaining("done")]);
    // One line.
    expect([stdout, stderr]).toEqual(["", expect.stringMatching(/^diskferry: .+ \[USAGE\]\n$/)]);
    expect(stderr).not.toContain("hush");
  });

  it("an option that is none, naming it, what may have been meant, and where the options stand", async () => {
    const { stderr } = await program.run("transfer", "a", "b", "--verfy");
    expect(stderr).toBe(
      "diskferry: unknown option '--verfy' (Did you mean --verify?); diskferry transfer --help shows what there is [USAGE]\n",
    );
    const json = await program.run("transfer", "a", "b", "--json", "--threads", "many");
    expect([json.status, json.stderr]).toEqual([2, ""]);
    expect(events(json.stdout)).toEqual([
      { event: "error", code: "USAGE", message: expect.stringContaining("--threads <n>") },
    ]);
  });

  it("a configuration file with a wrong field, naming the line and never the value", async () => {
    writeFileSync(program.path("wrong.yaml"), "stores:\n  s3:\n    secretKey: hush-hush\n");
    const { status, stderr } = await program.run(
      "transfer",
      "disk.raw",
      "s3://b/k",
      "--config",
      "wrong.yaml",
    );
    expect(status).toBe(2);
    expect(stderr).toMatch(/wrong\.yaml:\d+: stores\.s3/);
    expect(stderr).not.toContain("hush-hush");
  });
});

describe("exit status 1, for what failed", () => {
  it("a source that is not there, in one line that names it", async () => {
    const { status, stderr } = await program.run("transfer", "gone.raw", "x.raw");
    expect([status, stderr.trim().split("\n")]).toEqual([
      1,
      [expect.stringMatching(/gone\.raw.*\[NOT_FOUND\]$/)],
    ]);
  });

  it("a name with line ends and orders to the terminal in it, still in one line", async () => {
    const { status, stderr } = await program.run("inspect", "gone\nraw\u001b[31m");
    expect([status, stderr]).toEqual([
      1,
      "diskferry: gone?raw?[31m: no such file or directory [NOT_FOUND]\n",
    ]);
  });

  it("a destination that exists already, which stays as it was", async () => {
    writeFileSync(program.path("kept.raw"), "mine");
    const { status, stderr } = await program.run("transfer", "disk.raw", "kept.raw");
    expect([status, stderr]).toEqual([1, expect.stringContaining("[ALREADY_EXISTS]")]);
    expect(readFileSync(program.path("kept.raw"), "utf8")).toBe("mine");
  });

  it("credentials that are not set, naming what to set", async () => {
    const { status, stderr } = await program.run("transfer", "disk.raw", "swift://c/o");
    expect([status, stderr]).toEqual([1, expect.stringMatching(/ST_AUTH.*\[CREDENTIALS\]/)]);
  });

  it("disks that differ, with the first byte that does", async () => {
    const { status, stdout } = await program.run("verify", "disk.raw", "other.raw", "--json");
    expect(status).toBe(1);
    expect(events(stdout).at(-1)).toMatchObject({
      event: "done",
      equal: false,
      firstDifference: 2 * MiB + 5,
    });
  });

  it("an image that is damaged inside: nothing is left under the final name, nor beside it", async () => {
    const written = await program.run(
      "transfer",
      "disk.raw",
      "z.qcow2",
      "--format",
      "qcow2",
      "--compression",
      "zlib",
    );
    expect(written.status).toBe(0);
    const image = readFileSync(program.path("z.qcow2"));
    // Compressed clusters stand behind the header's cluster; tables follow them.
    image.fill(0xff, 5 * 65536 + 8, 5 * 65536 + 64);
    const before = readdirSync(program.root).length;
    writeFileSync(program.path("damaged.qcow2"), image);
    const args = ["transfer", "damaged.qcow2", "out.raw", "--format", "raw", "--json"];
    const { status, stdout } = await program.run(...args);
    expect([status, events(stdout).at(-1)]).toEqual([
      1,
      expect.objectContaining({ event: "error", code: "IMAGE_CORRUPT" }),
    ]);
    expect(existsSync(program.path("out.raw"))).toBe(false);
    expect(readdirSync(program.root).length).toBe(before + 1);
  });

  it("an image that is cut short, in one line that says what to do", async () => {
    writeFileSync(program.path("short.qcow2"), readFileSync(program.path("z.qcow2")).subarray(0, 100));
    const { status, stderr } = await program.run("inspect", "short.qcow2");
    expect([status, stderr]).toEqual([
      1,
      expect.stringMatching(
        /^diskferry: short\.qcow2: .+; fetch the image again from where it is whole \[IMAGE_TRUNCATED\]\n$/,
      ),
    ]);
  });
});

describe("exit status 0, for what is done", () => {
  const bytes = z.int().min(0);
  const line = z.discriminatedUnion("event", [
    z.strictObject({
      event: z.literal("progress"),
      stage: z.literal("verify").optional(),
      read: bytes,
      encoded: bytes,
      sent: bytes,
      committed: bytes,
      total: bytes,
    }),
    z.strictObject({
      event: z.literal("done"),
      object: z.string(),
      size: bytes,
      virtualSize: bytes,
      guestDigest: z.string().regex(/^xxh3sum:[0-9a-f]{32}$/),
      checksums: z.record(z.string(), z.string()),
      seconds: z.number().min(0),
      sent: bytes,
      saved: bytes,
      verified: z.boolean(),
    }),
  ]);

  it("writes one JSON object a line, of the fields that are documented", async () => {
    const { status, stdout, stderr } = await program.run(
      "transfer",
      "disk.raw",
      "out.qcow2",
      "--format",
      "qcow2",
      "--verify",
      "--json",
    );
    expect([status, stderr]).toEqual([0, ""]);
    const lines = events(stdout).map((event) => line.parse(event));
    expect(lines.at(-1)).toMatchObject({ event: "done", virtualSize: 3 * MiB, verified: true });
    expect(lines.some((event) => event.event === "progress")).toBe(true);
  });

  it("names a file in a directory after its source, and verify finds it equal", async () => {
    const { status } = await program.run("transfer", "disk.raw", `${program.root}/`, "--format", "vhd");
    expect(status).toBe(0);
    const verified = await program.run("verify", "disk.raw", "disk.vhd", "--json");
    expect([verified.status, events(verified.stdout).at(-1)]).toEqual([
      0,
      expect.objectContaining({ equal: true }),
    ]);
  });

  it("shows an image without moving it", async () => {
    const { status, stdout } = await program.run("inspect", "disk.raw", "--json", "--digest");
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ format: "raw", virtualSize: 3 * MiB });
  });
});
