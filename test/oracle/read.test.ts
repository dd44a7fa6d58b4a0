import { createReadStream, existsSync, readFileSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { gunzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { GiB, KiB, MiB } from "../../src/bytes/units.ts";
import { QEMU, QEMU_REASON, qemuImg, qemuIo } from "../support/qemu.ts";
import { makeWorld, type Wish } from "../support/world.ts";
import { digestOf, makeDisk, noise, writeSparse } from "./disk.ts";

const world = await makeWorld("oracle-read");
const { path } = world;

const SIZE = 20 * MiB + 3 * 512;
const disk = makeDisk(SIZE);
writeSparse(path("disk.raw"), disk);
const digest = digestOf(disk);
/** The same at a size where clusters of 512 bytes are many enough. */
const small = disk.subarray(3 * MiB, 6 * MiB + 512);
writeFileSync(path("small.raw"), small);

/** The engine reads `name` as `expected`, to a file and to nowhere. */
async function expectReads(name: string, expected: Buffer, wish: Wish = {}): Promise<void> {
  const result = await world.transfer(name, "out.raw", { format: "raw", existing: "replace", ...wish });
  const out = readFileSync(path("out.raw"));
  expect(out.length).toBe(expected.length);
  expect(out.equals(expected)).toBe(true);
  expect(result).toMatchObject({ guestDigest: digestOf(expected), virtualSize: expected.length });
  expect(result.object).toMatchObject({ name: path("out.raw"), size: expected.length });
  const nowhere = await world.transfer(name, "null:", { format: "raw", concurrency: 3, ...wish });
  expect(nowhere.guestDigest).toBe(result.guestDigest);
}

/** What qemu-img reads. */
function qemuReads(name: string, format: string, ...more: string[]): Buffer {
  qemuImg("convert", "-O", "raw", "-f", format, ...more, path(name), path("oracle.raw"));
  return readFileSync(path("oracle.raw"));
}

function options(list: readonly string[]): string[] {
  return list.flatMap((option) => ["-o", option]);
}

describe(`every image that qemu-img makes reads as qemu-img reads it${QEMU_REASON}`, () => {
  for (const cluster of [512, 4 * KiB, 64 * KiB, 2 * MiB]) {
    for (const [kind, list] of [
      ["v2 plain", ["compat=0.10"]],
      ["v3 plain", ["compat=1.1"]],
      ["v2 zlib", ["compat=0.10", "compressed"]],
      ["v3 zlib", ["compat=1.1", "compressed"]],
      ["v3 zstd", ["compat=1.1", "compression_type=zstd", "compressed"]],
    ] as const) {
      it.skipIf(!QEMU)(`qcow2 ${kind}, clusters of ${cluster}`, async () => {
        const from = cluster === 512 ? "small.raw" : "disk.raw";
        const packed = (list as readonly string[]).includes("compressed");
        const args = options([
          `cluster_size=${cluster}`,
          ...list.filter((option) => option !== "compressed"),
        ]);
        if (packed) args.push("-c");
        qemuImg("convert", "-f", "raw", "-O", "qcow2", ...args, path(from), path("a.qcow2"));
        await expectReads("a.qcow2", cluster === 512 ? small : disk);
      });
    }
  }

  for (const cluster of [16 * KiB, 64 * KiB, 2 * MiB]) {
    it.skipIf(!QEMU)(`qcow2 with extended L2 entries, clusters of ${cluster}`, async () => {
      const args = options(["extended_l2=on", `cluster_size=${cluster}`]);
      qemuImg("convert", "-f", "raw", "-O", "qcow2", ...args, path("disk.raw"), path("a.qcow2"));
      const sub = cluster / 32;
      qemuIo(
        path("a.qcow2"),
        "qcow2",
        `write -P 1 ${cluster + 3 * sub} ${sub}`,
        `write -z ${2 * cluster + sub} ${5 * sub}`,
        `discard ${4 * cluster} ${cluster}`,
        `write -P 2 ${4 * cluster + 30 * sub} ${4 * sub}`,
      );
      await expectReads("a.qcow2", qemuReads("a.qcow2", "qcow2"));
    });
  }

  for (const bits of [1, 16, 64]) {
    it.skipIf(!QEMU)(`qcow2 with refcounts of ${bits} bits`, async () => {
      const args = options([`refcount_bits=${bits}`]);
      qemuImg("convert", "-f", "raw", "-O", "qcow2", ...args, path("disk.raw"), path("a.qcow2"));
      await expectReads("a.qcow2", disk);
    });
  }

  for (const mode of ["metadata", "falloc", "full"]) {
    it.skipIf(!QEMU)(`qcow2 with preallocation ${mode}`, async () => {
      const args = options([`preallocation=${mode}`]);
      qemuImg("create", "-q", "-f", "qcow2", ...args, path("a.qcow2"), `${9 * MiB + 512}`);
      qemuIo(path("a.qcow2"), "qcow2", "write -P 7 1M 100k", "write -P 8 8M 1M");
      await expectReads("a.qcow2", qemuReads("a.qcow2", "qcow2"));
    });
  }

  it.skipIf(!QEMU)("qcow2 over qcow2 over raw, each larger than the one below", async () => {
    qemuImg("create", "-q", "-f", "qcow2", "-F", "raw", "-b", "disk.raw", path("mid.qcow2"), `${24 * MiB}`);
    qemuIo(path("mid.qcow2"), "qcow2", "write -P 1 1M 200k", "write -z 3M 3M", "write -P 2 21M 512");
    const args = ["-F", "qcow2", "-b", "mid.qcow2", ...options(["cluster_size=4k"])];
    qemuImg("create", "-q", "-f", "qcow2", ...args, path("top.qcow2"), `${26 * MiB}`);
    qemuIo(path("top.qcow2"), "qcow2", "write -P 3 512 512", "write -P 4 4M 5k", "write -P 5 25M 1M");
    const backing = [path("mid.qcow2"), path("disk.raw")];
    await expectReads("top.qcow2", qemuReads("top.qcow2", "qcow2"), { source: { backing } });
  });

  it.skipIf(!QEMU)("qcow2 at a snapshot, and as it is now", async () => {
    qemuImg("convert", "-f", "raw", "-O", "qcow2", path("disk.raw"), path("s.qcow2"));
    qemuImg("snapshot", "-c", "before", path("s.qcow2"));
    qemuIo(path("s.qcow2"), "qcow2", "write -P 9 0 3M", "discard 5M 2M", "write -P 10 20M 512");
    await expectReads("s.qcow2", qemuReads("s.qcow2", "qcow2"));
    await expectReads("s.qcow2", disk, { source: { snapshot: "before" } });
  });

  for (const rawOutside of ["off", "on"]) {
    it.skipIf(!QEMU)(`qcow2 with a data file, data_file_raw=${rawOutside}`, async () => {
      const args = options([`data_file=${path("d.data")}`, `data_file_raw=${rawOutside}`]);
      qemuImg("create", "-q", "-f", "qcow2", ...args, path("d.qcow2"), `${9 * MiB}`);
      qemuIo(path("d.qcow2"), "qcow2", "write -P 7 1M 100k", "write -P 8 8M 1M", "write -z 1M 64k");
      await expectReads("d.qcow2", qemuReads("d.qcow2", "qcow2"), { source: { dataFile: path("d.data") } });
    });
  }

  for (const size of [0, 512, 65536 - 512, 65536 + 512, 1000 * 512]) {
    it.skipIf(!QEMU)(`qcow2, VHD and raw of ${size} bytes`, async () => {
      const content = noise(size, 9);
      writeFileSync(path("odd.raw"), content);
      await expectReads("odd.raw", content, { source: { format: "raw" } });
      qemuImg("convert", "-f", "raw", "-O", "qcow2", path("odd.raw"), path("odd.qcow2"));
      await expectReads("odd.qcow2", content);
      if (size === 0) return;
      qemuImg(
        "convert",
        "-f",
        "raw",
        "-O",
        "vpc",
        ...options(["force_size=on"]),
        path("odd.raw"),
        path("odd.vhd"),
      );
      await expectReads("odd.vhd", content);
    });
  }

  for (const subformat of ["dynamic", "fixed"]) {
    for (const force of ["on", "off"]) {
      it.skipIf(!QEMU)(`VHD ${subformat}, force_size=${force}`, async () => {
        const args = options([`subformat=${subformat}`, `force_size=${force}`]);
        qemuImg("convert", "-f", "raw", "-O", "vpc", ...args, path("disk.raw"), path("a.vhd"));

        const expected = qemuReads("a.vhd", "vpc");
        await expectReads("a.vhd", expected);
        const declared = subformat === "fixed" ? "vhd-fixed" : "vhd";
        await expectReads("a.vhd", expected, { source: { format: declared } });
      });
    }
  }

  it("raw, sparse and full", async () => {
    await expectReads("disk.raw", disk);
    writeFileSync(path("full.raw"), disk);
    await expectReads("full.raw", disk);
    const { guestDigest } = await world.transfer("full.raw", "null:");
    expect(guestDigest).toBe(digest);
  });
});

describe("images that Huawei's own driver wrote", () => {
  const FIXTURES = "native-fixtures/zvhd-small";
  const load = (name: string) => gunzipSync(readFileSync(`${FIXTURES}/${name}.gz`));
  const golden = load("in.raw");

  it.each(["g.zvhd", "g.zvhd2", "g.zvhd2_zlib"])("%s becomes the disk that it was made of", async (name) => {
    writeFileSync(path(name), load(name));
    const result = await world.transfer(name, "g.raw", { format: "raw" });
    // The driver rounds disks up to whole GiB; what follows reads as zeros and is none of the digest.
    expect(result).toMatchObject({ virtualSize: GiB, guestDigest: digestOf(golden) });
    expect(existsSync(path("g.raw"))).toBe(true);
    const start: Buffer[] = [];
    for await (const chunk of createReadStream(path("g.raw"), { end: golden.length - 1 }))
      start.push(chunk as Buffer);
    expect(Buffer.concat(start).equals(golden)).toBe(true);
    await rm(path("g.raw"));
    // The same bytes through a chain of conversions.
    await world.transfer(name, "g.qcow2", { format: "qcow2", compression: "zstd" });
    expect((await world.transfer("g.qcow2", "null:")).guestDigest).toBe(result.guestDigest);
    await rm(path("g.qcow2"));
  });
});
