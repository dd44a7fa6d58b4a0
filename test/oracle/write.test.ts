import { createHash } from "node:crypto";
import { createReadStream, readFileSync, statSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { pipeline } from "node:stream/promises";
import { describe, expect, it } from "vitest";
import { alignUp, GiB, KiB, MiB } from "../../src/bytes/units.ts";
import { QEMU, QEMU_REASON, qemuImg } from "../support/qemu.ts";
import { makeWorld, type Wish } from "../support/world.ts";
import { digestOf, makeDisk, noise, writeSparse } from "./disk.ts";

const world = await makeWorld("oracle-write");
const { path } = world;

const disk = makeDisk(12 * MiB + 5 * 512, 7);
writeSparse(path("disk.raw"), disk);
const digest = digestOf(disk);

async function sha256(name: string): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(path(name)), hash);
  return hash.digest("hex");
}

/** The raw disk, written as `to`; many small segments, so that lanes meet. */
function write(to: string, wish: Wish = {}) {
  return world.transfer("disk.raw", to, { segment: MiB, existing: "replace", ...wish });
}

/** Fails unless qemu-img finds the same disk in both. */
function expectSame(name: string, format: string): void {
  qemuImg("compare", "-f", format, "-F", "raw", path(name), path("disk.raw"));
}

/** Every way of writing the disk. */
const WAYS: readonly (readonly [string, Wish])[] = [
  ...[512, 4 * KiB, 64 * KiB, 2 * MiB].flatMap((clusterSize) =>
    (["none", "zlib", "zstd"] as const).map(
      (compression) =>
        [
          `qcow2 ${compression}, clusters of ${clusterSize}`,
          { format: "qcow2", clusterSize, compression },
        ] as const,
    ),
  ),
  ["qcow2 zlib at level 9", { format: "qcow2", compression: "zlib", level: 9 }],
  ["VHD", { format: "vhd" }],
  ["VHD rounded to whole MiB", { format: "vhd", roundTo: MiB }],
  ["fixed VHD", { format: "vhd-fixed" }],
  ["fixed VHD rounded to whole MiB", { format: "vhd-fixed", roundTo: MiB }],
  ["zvhd", { format: "zvhd" }],
  ["zvhd2 zlib", { format: "zvhd2", compression: "zlib" }],
  ["zvhd2 zstd", { format: "zvhd2", compression: "zstd" }],
  ["raw", { format: "raw" }],
  ["raw rounded to whole MiB", { format: "raw", roundTo: MiB }],
];

describe("a disk written in any way", () => {
  it.each(WAYS)("has one guest digest, and reads back the same: %s", async (_name, wish) => {
    const result = await write("a.image", { ...wish, verify: "read back" });
    expect(result).toMatchObject({ guestDigest: digest, verified: true });
    expect(result.object.size).toBe(statSync(path("a.image")).size);
    const back = await world.transfer("a.image", "back.raw", { format: "raw", existing: "replace" });
    expect(back).toMatchObject({ guestDigest: digest, virtualSize: result.virtualSize });
    if (result.virtualSize < GiB) {
      const raw = readFileSync(path("back.raw"));
      expect(raw.subarray(0, disk.length).equals(disk)).toBe(true);
      expect(raw.subarray(disk.length).every((byte) => byte === 0)).toBe(true);
      expect(raw.length).toBe(alignUp(disk.length, wish.roundTo ?? 512));
    }
    const nowhere = await write("null:", wish);
    expect(nowhere.guestDigest).toBe(digest);
  });

  it.each(WAYS)("has the same bytes each time, whether by one lane or by eight: %s", async (_name, wish) => {
    await write("one.image", { ...wish, concurrency: 1 });
    const once = await sha256("one.image");
    await write("one.image", { ...wish, concurrency: 8 });
    expect(await sha256("one.image")).toBe(once);
  });
});

describe(`what qemu-img says of it${QEMU_REASON}`, () => {
  const formats = { qcow2: "qcow2", vhd: "vpc", "vhd-fixed": "vpc", raw: "raw" } as Readonly<
    Record<string, string>
  >;
  const known = WAYS.filter(([, { format = "" }]) => format in formats);

  it.skipIf(!QEMU).each(known)("no error, no leak, the same disk: %s", async (_name, wish) => {
    await write("q.image", wish);
    const format = formats[wish.format ?? ""] ?? "";
    if (format === "qcow2") {
      expect(qemuImg("check", "-f", "qcow2", path("q.image"))).toContain("No errors were found");
    }
    expectSame("q.image", format);
    const info = JSON.parse(qemuImg("info", "--output=json", "-f", format, path("q.image"))) as Record<
      string,
      unknown
    >;
    expect(info["virtual-size"]).toBe(alignUp(disk.length, wish.roundTo ?? 512));
  });

  for (const size of [0, 512, 65536, 65536 + 512, 3 * MiB - 512]) {
    for (const content of ["zeros", "noise"] as const) {
      it.skipIf(!QEMU)(`the same of a disk of ${size} bytes of ${content}`, async () => {
        const bytes = content === "zeros" ? Buffer.alloc(size) : noise(size, 5);
        writeFileSync(path("odd.raw"), bytes);
        const source = { format: "raw" };
        for (const wish of [{ format: "qcow2" }, { format: "qcow2", compression: "zstd" }] as const) {
          const { guestDigest } = await world.transfer("odd.raw", "odd.qcow2", {
            ...wish,
            source,
            existing: "replace",
          });
          expect(guestDigest).toBe(digestOf(bytes));
          qemuImg("check", "-f", "qcow2", path("odd.qcow2"));
          qemuImg("compare", "-f", "qcow2", "-F", "raw", path("odd.qcow2"), path("odd.raw"));
        }
        if (size === 0) return;
        for (const format of ["vhd", "vhd-fixed"]) {
          await world.transfer("odd.raw", "odd.vhd", { format, source, existing: "replace" });
          qemuImg("compare", "-f", "vpc", "-F", "raw", path("odd.vhd"), path("odd.raw"));
        }
      });
    }
  }
});

describe("a conversion from any format to any other", () => {
  const sources = ["raw", "qcow2", "vhd", "vhd-fixed", "zvhd", "zvhd2"];

  it.each(sources)("keeps the guest digest: from %s", async (from) => {
    await world.transfer("disk.raw", "from.image", { format: from, existing: "replace" });
    for (const to of sources) {
      const result = await world.transfer("from.image", "to.image", {
        format: to,
        segment: MiB,
        existing: "replace",
      });
      expect([to, result.guestDigest]).toEqual([to, digest]);
      const again = await world.transfer("to.image", "null:", { format: "raw" });
      expect([to, again.guestDigest]).toEqual([to, digest]);
    }
    await rm(path("from.image"));
    await rm(path("to.image"));
  });
});
