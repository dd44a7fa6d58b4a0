/** A disk that has everything that a transfer treats in its own way, and its bytes at hand. */
import { createCipheriv, createHash } from "node:crypto";
import { open } from "node:fs/promises";

const MiB = 1_048_576;

/** Bytes of the disk: no multiple of a part. */
const SIZE = 47 * MiB + 65_536;

type Fill = "noise" | "text" | "clusters" | "zeros";

/** In MiB; what is not named is a hole, one of them longer than the largest object of zeros that is sent. */
const CONTENT: readonly (readonly [from: number, to: number, fill: Fill])[] = [
  [0, 1, "noise"],
  [1, 3, "text"],
  [3, 8, "noise"],
  // Zeros that the file system calls data.
  [25, 31, "zeros"],
  [31, 35, "noise"],
  [35, 37, "clusters"],
  [37, 40, "text"],
  [46, 47, "noise"],
];

/** Writes the disk; returns the SHA-256 of its bytes. */
export async function writeDisk(path: string): Promise<string> {
  const bytes = Buffer.alloc(SIZE);
  await using file = await open(path, "wx");
  await file.truncate(SIZE);
  for (const [from, to, fill] of CONTENT) {
    const part = bytes.subarray(from * MiB, to * MiB);
    noise(part, from);
    if (fill === "zeros") part.fill(0);
    if (fill === "clusters") for (let at = 0; at < part.length; at += 131_072) part.fill(0, at, at + 65_536);
    if (fill === "text") for (let at = 0; at < part.length; at += 64) part.copyWithin(at + 8, at, at + 8);
    await file.write(part, 0, part.length, from * MiB);
  }
  return createHash("sha256").update(bytes).digest("hex");
}

function noise(into: Buffer, seed: number): void {
  const cipher = createCipheriv("aes-128-ctr", Buffer.alloc(16, seed + 1), Buffer.alloc(16));
  cipher.update(Buffer.alloc(into.length)).copy(into);
}
