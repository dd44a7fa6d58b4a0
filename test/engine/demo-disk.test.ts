import { spawnSync } from "node:child_process";
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { MiB } from "../../src/bytes/units.ts";
import { makeDemoDisk } from "../../src/engine/demo-disk.ts";
import { isFatName, layOutFat } from "../../src/engine/demo-fat.ts";

const signal = new AbortController().signal;
const installed = (program: string, ...args: string[]) => spawnSync(program, args).error === undefined;
const FSCK = installed("fsck.fat", "--help");
const MTOOLS = installed("mcopy", "--version");

describe("the demonstration's disk", () => {
  const root = mkdtempSync(join(tmpdir(), "diskferry-test-"));
  const installation = join(root, "diskferry");
  const disk = join(root, "disk.raw");
  const volume = join(root, "volume.fat");

  beforeAll(async () => {
    mkdirSync(join(installation, "src/deep/er"), { recursive: true });
    const file = (name: string, text: string | Buffer) =>
      writeFileSync(join(installation, "src", name), text);
    file("a.ts", "short");
    file("empty.ts", "");
    file("exactly13.txt", "a name of one whole entry");
    file("a rather long name with spaces, and with ümläuts.md", "x".repeat(8192));
    file("deep/er/large.bin", Buffer.alloc(3 * 8192 + 1, 7));
    for (let i = 0; i < 400; i += 1) file(`deep/number-${i}-of-many-files.txt`, String(i));
    await makeDemoDisk(disk, installation, signal);
    const bytes = Buffer.alloc(255 * MiB);
    readSync(openSync(disk, "r"), bytes, 0, bytes.length, MiB);
    writeFileSync(volume, bytes);
  });
  afterAll(() => rmSync(root, { recursive: true, force: true }));

  it("begins with a partition table that names one FAT16 partition at 1 MiB", () => {
    const sector = readFileSync(disk).subarray(0, 512);
    expect(sector.readUInt16LE(510)).toBe(0xaa55);
    expect([sector[450], sector.readUInt32LE(454), sector.readUInt32LE(458)]).toEqual([
      0x0e,
      2048,
      255 * 2048,
    ]);
  });

  it.skipIf(!FSCK)(
    `holds a volume that fsck.fat finds clean${FSCK ? "" : " (skipped: fsck.fat is not installed)"}`,
    () => {
      const { status, stdout } = spawnSync("fsck.fat", ["-n", volume], { encoding: "utf8" });
      expect([status, stdout]).toEqual([0, expect.stringContaining("409 files")]);
    },
  );

  it.skipIf(!MTOOLS)(
    `gives mtools every file back as it was${MTOOLS ? "" : " (skipped: mtools is not installed)"}`,
    () => {
      const out = join(root, "out");
      mkdirSync(out);
      const copied = spawnSync("mcopy", ["-s", "-n", "-i", volume, "::src", out], {
        encoding: "utf8",
        env: { ...process.env, LC_ALL: "C.UTF-8" },
      });
      expect([copied.status, copied.stderr]).toEqual([0, ""]);
      const compared = spawnSync("diff", ["-r", join(installation, "src"), join(out, "src")], {
        encoding: "utf8",
      });
      expect([compared.status, compared.stdout]).toEqual([0, ""]);
    },
  );

  it("does not overwrite a file that stands where the disk would", async () => {
    await expect(makeDemoDisk(disk, installation, signal)).rejects.toMatchObject({ code: "ALREADY_EXISTS" });
  });

  it("leaves out what is hidden, and takes files that hold more than they say", async () => {
    const busy = join(root, "busy");
    mkdirSync(join(busy, "src", ".cache"), { recursive: true });
    writeFileSync(join(busy, "src", ".cache", "results.json"), "{}");
    writeFileSync(join(busy, "src", "a.ts"), "short");
    // Each of these files says that it is empty, and is not: as if it had grown since.
    symlinkSync("/proc/sys/kernel/random", join(busy, "node_modules"));
    expect(readFileSync(join(busy, "node_modules", "uuid")).length).toBeGreaterThan(0);
    const made = await makeDemoDisk(join(root, "busy.raw"), busy, signal);
    expect(made).toMatchObject({ files: 1 + readdirSync(join(busy, "node_modules")).length, content: 5 });
  });

  it("takes files from beside the package, where npm puts dependencies", async () => {
    const modules = join(root, "node_modules");
    cpSync(installation, join(modules, "diskferry"), { recursive: true });
    mkdirSync(join(modules, "other"));
    writeFileSync(join(modules, "other", "index.js"), "0");
    const made = await makeDemoDisk(join(root, "beside.raw"), join(modules, "diskferry"), signal);
    // Its own files count twice: as src, and among the modules.
    expect(made.files).toBe(2 * 405 + 1);
  });
});

describe("layOutFat", () => {
  it("refuses files that do not fit", () => {
    const files = [{ path: ["a"], size: 60 * MiB }];
    expect(() => layOutFat(files, 50 * MiB, 0, "X")).toThrow(
      expect.objectContaining({ code: "LIMIT_EXCEEDED" }),
    );
  });

  it("refuses volumes that are too small or too large for FAT16", () => {
    for (const size of [16 * MiB, 600 * MiB])
      expect(() => layOutFat([], size, 0, "X")).toThrow(expect.objectContaining({ code: "LIMIT_EXCEEDED" }));
  });

  it("knows the names that FAT cannot hold", () => {
    expect(["a:b", "a?", "dot.", "tab\t", "a\\b"].map(isFatName)).toEqual([
      false,
      false,
      false,
      false,
      false,
    ]);
    expect(isFatName("@aws-sdk")).toBe(true);
  });
});
