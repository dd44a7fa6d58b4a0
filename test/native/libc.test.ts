import {
  closeSync,
  fstatSync,
  ftruncateSync,
  mkdtempSync,
  openSync,
  readSync,
  rmSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { GiB, KiB, MiB } from "../../src/bytes/units.ts";
import { fadvise, hasLibc, punchHole, reserve, seekData, seekHole } from "../../src/native/libc.ts";

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "libc-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** A file of 8 TiB with one byte at 4 TiB: offsets need far more than 32 bits. */
function sparseFile(): number {
  const fd = openSync(join(folder, `sparse-${Math.random()}`), "w+");
  ftruncateSync(fd, 8192 * GiB);
  writeSync(fd, Buffer.from("x"), 0, 1, 4096 * GiB);
  return fd;
}

const absent = hasLibc() ? "" : " (skipped: the C library cannot be called here)";

describe.skipIf(!hasLibc())(`with the C library${absent}`, () => {
  test("finds data and holes beyond 4 GiB", () => {
    const fd = sparseFile();
    expect(seekData(fd, 0)).toBe(4096 * GiB);
    expect(seekData(fd, 4096 * GiB)).toBe(4096 * GiB);
    expect(seekHole(fd, 0)).toBe(0);
    const hole = seekHole(fd, 4096 * GiB) as number;
    expect(hole).toBeGreaterThan(4096 * GiB);
    expect(hole).toBeLessThanOrEqual(4096 * GiB + 2 * MiB);
    closeSync(fd);
  });

  test("says none where only a hole follows, and past the end", () => {
    const fd = sparseFile();
    expect(seekData(fd, 5000 * GiB)).toBe("none");
    expect(seekData(fd, 8192 * GiB)).toBe("none");
    expect(seekHole(fd, 8192 * GiB)).toBe("none");
    closeSync(fd);
  });

  test("a descriptor that cannot seek gives undefined", () => {
    expect(seekData(-1, 0)).toBeUndefined();
    expect(seekHole(-1, 0)).toBeUndefined();
  });

  test("advice is taken for a file and refused for no file", () => {
    const fd = sparseFile();
    expect(fadvise(fd, 0, 0, "sequential")).toBe(true);
    expect(fadvise(fd, 4096 * GiB, MiB, "dontneed")).toBe(true);
    expect(fadvise(-1, 0, 0, "sequential")).toBe(false);
    closeSync(fd);
  });

  test("a punched hole reads as zeros and keeps the size; a reserve keeps content and size", () => {
    const fd = openSync(join(folder, "punched"), "w+");
    writeSync(fd, Buffer.alloc(256 * KiB, 1));
    expect(punchHole(fd, 64 * KiB, 128 * KiB)).toBe(true);
    expect(fstatSync(fd).size).toBe(256 * KiB);
    const back = Buffer.alloc(256 * KiB);
    readSync(fd, back, 0, back.length, 0);
    const expected = Buffer.alloc(256 * KiB, 1).fill(0, 64 * KiB, 192 * KiB);
    expect(back.equals(expected)).toBe(true);
    const before = fstatSync(fd).blocks;
    expect(reserve(fd, 64 * KiB, 128 * KiB)).toBe(true);
    expect(fstatSync(fd).blocks).toBeGreaterThan(before);
    expect(fstatSync(fd).size).toBe(256 * KiB);
    readSync(fd, back, 0, back.length, 0);
    expect(back.equals(expected)).toBe(true);
    expect(punchHole(-1, 0, 1)).toBe(false);
    expect(reserve(-1, 0, 1)).toBe(false);
    closeSync(fd);
  });
});
