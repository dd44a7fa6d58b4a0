/** tar.gz against GNU tar and gzip, which know nothing of diskferry. */
import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { GiB, KiB, MiB } from "../../../src/bytes/units.ts";
import { fileHeader } from "../../../src/format/tar-gz/header.ts";
import { tarGz } from "../../../src/format/tar-gz/tar-gz.ts";
import { digestOf, makeDisk, noise, writeSparse } from "../../oracle/disk.ts";
import { QEMU, QEMU_REASON, qemuImg } from "../../support/qemu.ts";
import { makeWorld } from "../../support/world.ts";

const world = await makeWorld("tar-gz");
const { path } = world;
const UNIT = 256 * KiB;

/** What tar finds in the archive, unpacked by itself. @returns names, and the content of the only file */
function unpacked(archive: string): { readonly names: readonly string[]; readonly content: Buffer } {
  const folder = path("unpacked");
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder);
  const listed = spawnSync("tar", ["xvzf", path(archive), "-C", folder], { encoding: "utf8" });
  expect([listed.status, listed.stderr]).toEqual([0, ""]);
  const names = listed.stdout.trim().split("\n");
  return { names, content: readFileSync(`${folder}/${names[0]}`) };
}

async function archived(disk: Buffer, name: string, wish: Parameters<typeof world.transfer>[2] = {}) {
  writeSparse(path("disk.raw"), disk);
  const result = await world.transfer("disk.raw", name, { format: "tar.gz", existing: "replace", ...wish });
  expect(result.guestDigest).toBe(digestOf(disk));
  expect(result.object.size).toBe(statSync(path(name)).size);
  return result;
}

describe("an archive", () => {
  it.each([
    ["a byte", noise(1)],
    ["a sector", noise(512)],
    ["a unit", noise(UNIT)],
    ["a unit and a byte", noise(UNIT + 1)],
    ["a unit less a byte", noise(UNIT - 1)],
    ["all kinds of content", makeDisk(12 * MiB + 5 * 512, 7)],
    ["zeros alone", Buffer.alloc(40 * MiB)],
    ["zeros before data", Buffer.concat([Buffer.alloc(33 * MiB), noise(3)])],
    ["zeros behind data", Buffer.concat([noise(3), Buffer.alloc(33 * MiB)])],
    ["data that is all zeros, and no hole", Buffer.concat([noise(UNIT), Buffer.alloc(3 * UNIT), noise(9)])],
  ])("of %s holds it as <name>.raw", async (_, disk) => {
    await archived(disk, "image_system.raw.tar.gz", { segment: MiB });
    const { names, content } = unpacked("image_system.raw.tar.gz");
    expect(names).toEqual(["image_system.raw"]);
    expect(content.equals(disk)).toBe(true);
  });

  it.skipIf(!QEMU)(`of a qcow2 is what qemu-img makes of it as raw${QEMU_REASON}`, async () => {
    writeSparse(path("disk.raw"), makeDisk(9 * MiB, 3));
    qemuImg("convert", "-c", "-f", "raw", "-O", "qcow2", path("disk.raw"), path("disk.qcow2"));
    qemuImg("convert", "-f", "qcow2", "-O", "raw", path("disk.qcow2"), path("qemu.raw"));
    await world.transfer("disk.qcow2", "from-qcow2.tar.gz", { format: "tar.gz", segment: MiB });
    const { names, content } = unpacked("from-qcow2.tar.gz");
    expect(names).toEqual(["from-qcow2.raw"]);
    expect(content.equals(readFileSync(path("qemu.raw")))).toBe(true);
  });

  it("has the same bytes each time, by one lane or by eight, and zeros take a thousandth", async () => {
    const disk = Buffer.concat([noise(MiB), Buffer.alloc(64 * MiB), noise(MiB, 2)]);
    const hashes = new Set<string>();
    for (const concurrency of [1, 8]) {
      await archived(disk, "same.raw.tar.gz", { segment: MiB, concurrency });
      hashes.add(
        createHash("sha256")
          .update(readFileSync(path("same.raw.tar.gz")))
          .digest("hex"),
      );
    }
    expect(hashes.size).toBe(1);
    expect(statSync(path("same.raw.tar.gz")).size).toBeLessThan(2 * MiB + (64 * MiB) / 900);
  });

  it("rounds the disk up with zeros", async () => {
    await archived(noise(MiB + 7), "round.raw.tar.gz", { roundTo: 4 * MiB });
    const { content } = unpacked("round.raw.tar.gz");
    expect(content.equals(Buffer.concat([noise(MiB + 7), Buffer.alloc(3 * MiB - 7)]))).toBe(true);
  });

  it.each([MiB + 7, 3])(
    "rounds %i bytes up far, in parts of zeros like those inside a disk",
    async (size) => {
      const slots: number[] = [];
      const { object } = await archived(noise(size), "far.raw.tar.gz", {
        roundTo: 100 * GiB,
        events: { onPlan: (plan) => void slots.push(plan.slots) },
      });
      expect(slots).toEqual([1 + Math.ceil(100 / 8)]);
      expect(object.size).toBeLessThan(2 * MiB + (100 * GiB) / 900);
    },
  );

  it("is read by nobody here, and says so before anything moves", async () => {
    await archived(noise(9), "one.raw.tar.gz");
    const written = { code: "USAGE", message: expect.stringContaining("written, and cannot be read") };
    await expect(
      world.transfer("one.raw.tar.gz", "back.raw", { source: { format: "tar.gz" } }),
    ).rejects.toMatchObject(written);
    await expect(
      world.transfer("disk.raw", "two.raw.tar.gz", { format: "tar.gz", verify: "read back" }),
    ).rejects.toMatchObject(written);
    expect(() => statSync(path("two.raw.tar.gz"))).toThrow();
    await expect(world.transfer("one.raw.tar.gz", "back.raw")).rejects.toMatchObject({
      code: "UNSUPPORTED_FORMAT",
    });
  });
});

describe("options", () => {
  const layout = (options: object) =>
    tarGz.writer.layout({ virtualSize: MiB, seed: new Uint8Array(16), ...options });

  it.each([
    { compression: "none" },
    { compression: "zstd" },
    { level: 0 },
    { level: 13 },
    { level: 1.5 },
    { clusterSize: 65536 },
    { virtualSize: 0 },
  ])("that cannot be are refused: %j", (options) => {
    expect(() => layout(options)).toThrow(expect.objectContaining({ code: "USAGE" }));
  });

  it("a level makes it smaller", async () => {
    const lines = Array.from({ length: 60_000 }, (_, line) => `${line * line} is the square of ${line}\n`);
    const disk = Buffer.from(lines.join(""));
    const one = await archived(disk, "l1.tar.gz", { level: 1 });
    const nine = await archived(disk, "l9.tar.gz", { level: 9 });
    expect(nine.object.size).toBeLessThan(one.object.size);
  });
});

describe("the header", () => {
  /** What tar lists of an archive that breaks off behind its header. */
  function listed(header: Uint8Array): string {
    writeFileSync(path("header.tar"), header);
    return spawnSync("tar", ["tvf", path("header.tar"), "--utc", "--full-time"], { encoding: "utf8" }).stdout;
  }

  it.each([0, 1, 8 * GiB - 1, 8 * GiB, 16 * 1024 * GiB, Number.MAX_SAFE_INTEGER])(
    "states %i bytes",
    (size) => {
      const [mode, owner, found, , , name] = listed(fileHeader("a.raw", size)).trim().split(/ +/);
      expect([mode, owner, found, name]).toEqual(["-rw-r--r--", "root/root", String(size), "a.raw"]);
    },
  );

  it.each([99, 100, 101, 511, 512, 1023])("keeps a name of %i bytes", (length) => {
    const name = "é".repeat(Math.floor(length / 2)) + "x".repeat(length % 2);
    const found = execFileSync("tar", ["tf", "-", "--quoting-style=literal"], {
      input: Buffer.concat([fileHeader(name, 0), Buffer.alloc(1024)]),
    });
    expect(found.toString()).toBe(`${name}\n`);
  });

  it("stands in front of the first unit, in a member of its own", () => {
    const { encoding } = tarGz.writer.layout({ virtualSize: 9, name: "x.raw", seed: new Uint8Array(16) }) as {
      encoding: { prologue?: Uint8Array };
    };
    expect(gunzipSync(encoding.prologue ?? "").equals(fileHeader("x.raw", 9))).toBe(true);
  });
});
