/** Tells codecs apart that give other bytes for equal units: another library, or another version of one. */
import { createHash } from "node:crypto";
import { KiB } from "../bytes/units.ts";
import { deflaterOfUnits, encodeDeflateSync, encodeZstd } from "./codec.ts";

const UNIT = 16 * KiB;

/** A digest of what this machine makes of the same few units. Takes milliseconds. */
export function codecSignature(compression: "zlib" | "zstd", level: number): string {
  const digest = createHash("sha256");
  const deflate = deflaterOfUnits();
  for (const unit of samples()) {
    if (compression === "zstd") digest.update(encodeZstd(unit, level));
    else digest.update(deflate(unit, level)).update(encodeDeflateSync(unit, level));
  }
  return digest.digest("hex");
}

/** What shrinks much, little, much and not at all, with repeats near and far: whatever a codec decides shows in it. */
function samples(): Uint8Array[] {
  let state = 1;
  const random = (below: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  const noise = Uint8Array.from({ length: UNIT }, () => random(256));
  const words = noise.slice();
  for (let at = 256; at < UNIT; ) {
    const length = Math.min(3 + random(20), UNIT - at);
    const from = random(at - length);
    words.copyWithin(at, from, from + length);
    at += length;
  }
  const mixed = noise.map((byte, at) => (at % 512 < 384 ? byte : (words[at] ?? 0)));
  return [words, mixed, words, noise, mixed];
}
