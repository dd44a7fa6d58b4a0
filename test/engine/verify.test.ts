import { copyFileSync, truncateSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { GiB, MiB } from "../../src/bytes/units.ts";
import type { ImageRequest } from "../../src/engine/open-image.ts";
import { verify } from "../../src/engine/verify.ts";
import { digestOf, makeDisk, writeSparse } from "../oracle/disk.ts";
import { makeWorld } from "../support/world.ts";

const never = new AbortController().signal;
const world = await makeWorld("verify");
const { path, image } = world;

/** Longer than two of the steps in which images are compared, so that differences lie in each. */
const SIZE = 150 * MiB + 512;
const disk = Buffer.concat([makeDisk(5 * MiB), Buffer.alloc(SIZE - 10 * MiB), makeDisk(5 * MiB, 3)]);
writeSparse(path("disk.raw"), disk);
const digest = digestOf(disk);
const FORMATS = ["raw", "qcow2", "vhd", "vhd-fixed", "zvhd", "zvhd2"];
for (const format of FORMATS) {
  if (format !== "raw") await world.transfer("disk.raw", `disk.${format}`, { format });
}

const compare = (a: string, b: string, more: Partial<ImageRequest> = {}) =>
  verify(image(a, more), image(b), world.engine, () => {}, never);

/** The disk with one byte changed, written in a format. */
async function changed(at: number, format: string): Promise<string> {
  copyFileSync(path("disk.raw"), path("changed.raw"));
  const file = await open(path("changed.raw"), "r+");
  await file.write(Buffer.from([(disk[at] ?? 0) ^ 0x40]), 0, 1, at);
  await file.close();
  if (format !== "raw")
    await world.transfer("changed.raw", `changed.${format}`, { format, existing: "replace" });
  return `changed.${format}`;
}

describe("two images of one disk", () => {
  it.each(FORMATS)("are equal: raw and %s", async (format) => {
    expect(await compare("disk.raw", `disk.${format}`)).toEqual({ equal: true, guestDigest: digest });
    expect(await compare(`disk.${format}`, "disk.raw")).toEqual({ equal: true, guestDigest: digest });
  });

  it("are equal where one is longer by zeros, and where both hold nothing", async () => {
    copyFileSync(path("disk.raw"), path("long.raw"));
    truncateSync(path("long.raw"), 2 * GiB);
    expect(await compare("disk.raw", "long.raw")).toEqual({ equal: true, guestDigest: digest });
    expect(await compare("long.raw", "disk.qcow2")).toEqual({ equal: true, guestDigest: digest });
    writeFileSync(path("empty.raw"), "");
    writeFileSync(path("zeros.raw"), Buffer.alloc(100_000));
    expect(await compare("empty.raw", "zeros.raw")).toEqual({
      equal: true,
      guestDigest: `xxh3sum:${"0".repeat(32)}`,
    });
  });

  it("may be compared without being written out: progress is told in guest bytes", async () => {
    const samples: { read: number; total: number }[] = [];
    let sample: (() => { read: number; total: number }) | undefined;
    await verify(
      image("disk.raw"),
      image("disk.qcow2"),
      world.engine,
      (given) => {
        if (sample !== undefined) samples.push(sample());
        sample = given;
      },
      never,
    );
    if (sample !== undefined) samples.push(sample());
    expect(samples.length).toBe(2);
    for (const { read, total } of samples) expect(read).toBe(total);
  });
});

describe("two different disks", () => {
  const places = [
    0,
    1,
    65_535,
    65_536,
    2 * MiB - 1,
    64 * MiB - 1,
    64 * MiB,
    100 * MiB + 17,
    128 * MiB,
    SIZE - 1,
  ];

  it.each(places)("first differ at the byte that was changed: %i", async (at) => {
    for (const format of ["raw", at === SIZE - 1 || at === 0 ? "zvhd" : "qcow2"]) {
      const name = await changed(at, format);
      expect(await compare("disk.raw", name)).toEqual({ equal: false, firstDifference: at });
      expect(await compare(name, "disk.vhd")).toEqual({ equal: false, firstDifference: at });
    }
  });

  it("first differ at the first of many places", async () => {
    const name = await changed(70 * MiB, "raw");
    const file = await open(path(name), "r+");
    for (const at of [SIZE - 1, 90 * MiB, 140 * MiB]) await file.write(Buffer.from([0x5a]), 0, 1, at);
    await file.close();
    expect(await compare(name, "disk.zvhd2")).toEqual({ equal: false, firstDifference: 70 * MiB });
  });

  it("differ where one goes on with data behind the other's end", async () => {
    copyFileSync(path("disk.raw"), path("short.raw"));
    truncateSync(path("short.raw"), SIZE - MiB);
    let at = SIZE - MiB;
    while (disk[at] === 0) at += 1;
    expect(await compare("short.raw", "disk.raw")).toEqual({ equal: false, firstDifference: at });
    expect(await compare("disk.qcow2", "short.raw")).toEqual({ equal: false, firstDifference: at });
  });
});

describe("an image that cannot be compared", () => {
  it("is a fault, not a difference", async () => {
    await expect(compare("disk.raw", "absent.raw")).rejects.toMatchObject({ code: "NOT_FOUND" });
    await expect(compare("disk.raw", "disk.qcow2", { format: "qcow2" })).rejects.toMatchObject({
      code: "FORMAT_MISMATCH",
    });
    await expect(compare("disk.raw", "disk.qcow2", { backing: [path("disk.raw")] })).rejects.toMatchObject({
      code: "USAGE",
      message: `${path("disk.raw")}: does not refer to ${path("disk.raw")}; leave it out of the request`,
    });
  });
});
