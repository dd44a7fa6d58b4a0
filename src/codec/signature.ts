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

/** What shrinks much, little, much and not at all: enough for each library and for all that a block can be. */
function samples(): Uint8Array[] {
  const noise = new Uint8Array(UNIT);
  for (let at = 0, state = 1; at < UNIT; at += 1) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    noise[at] = state >>> 24;
  }
  const words = noise.map((byte, at) => (at % 6 === 5 ? 32 : 97 + (byte % 5)));
  const mixed = noise.map((byte, at) => (at % 512 < 384 ? byte : (words[at] ?? 0)));
  return [words, mixed, words, noise, mixed];
}
