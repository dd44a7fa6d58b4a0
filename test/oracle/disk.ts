/** The disk that the matrix is about: every kind of content, in runs of every length, with edges that fit nothing. */
import { closeSync, ftruncateSync, openSync, writeSync } from "node:fs";
import { formatGuestDigest, GuestDigest } from "../../src/digest/guest-digest.ts";

/** Deterministic noise that no codec makes smaller. */
export function noise(size: number, seed = 1): Buffer {
  const words = new Uint32Array(Math.ceil(size / 4));
  let state = seed;
  for (let i = 0; i < words.length; i += 1) {
    state = (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9) | 0;
    words[i] = state ^ (state >>> 13);
  }
  return Buffer.from(words.buffer, 0, size);
}

/** Noise, text, one byte and zeros in turn; the runs are a byte to a sixteenth of the disk. */
export function makeDisk(size: number, seed = 1): Buffer {
  const disk = noise(size, seed);
  const lengths = [1, 511, 4096, 65536, 700, 300_000, 65537, 2_100_000, 12_345, 1 << 20];
  for (let at = 0, turn = 0; at < size; turn += 1) {
    const end = Math.min(
      size,
      at + Math.min(lengths[(turn * 7) % lengths.length] ?? 1, Math.ceil(size / 16)),
    );
    if (turn % 5 === 1) disk.fill("all work and no play\n", at, end);
    if (turn % 5 === 2) disk.fill(0, at, end);
    if (turn % 5 === 3) disk.fill(0xff, at, end);
    if (turn % 5 === 4) disk.fill(0, at, end);
    at = end;
  }
  return disk;
}

/** Writes the disk with holes where 64 KiB of it are zeros. */
export function writeSparse(path: string, disk: Buffer): void {
  const step = 65536;
  const zeros = Buffer.alloc(step);
  const file = openSync(path, "w");
  ftruncateSync(file, disk.length);
  for (let at = 0; at < disk.length; at += step) {
    const part = disk.subarray(at, at + step);
    if (!part.equals(zeros.subarray(0, part.length))) writeSync(file, part, 0, part.length, at);
  }
  closeSync(file);
}

export function digestOf(disk: Uint8Array): string {
  const digest = new GuestDigest();
  digest.add(disk, 0);
  return formatGuestDigest(digest.value());
}
