/** Coded units to guest bytes and back. */
import {
  constants,
  deflateRawSync,
  inflateRawSync,
  inflateSync,
  zstdCompressSync,
  zstdDecompressSync,
} from "node:zlib";
import { Fault } from "../fault/fault.ts";
import type { Codec } from "../format/format.ts";

/**
 * Decodes one unit: fills the whole of `into`. `coded` may carry slack behind the end of its stream.
 * `window` is the output that stands before the unit in a chained stream (`deflate-chain` only).
 * @throws Fault IMAGE_CORRUPT, naming `place`, when the stream is broken or yields another number of bytes.
 */
export function decodeUnit(
  codec: Codec,
  coded: Uint8Array,
  into: Uint8Array,
  place: string,
  window?: Uint8Array,
): void {
  let out: Uint8Array;
  try {
    const options = { finishFlush: constants.Z_SYNC_FLUSH, maxOutputLength: into.length };
    if (codec === "zstd") out = zstdDecompressSync(coded, { maxOutputLength: into.length });
    else if (codec === "zlib") out = inflateSync(coded, options);
    else out = inflateRawSync(coded, window === undefined ? options : { ...options, dictionary: window });
  } catch (error) {
    throw new Fault("IMAGE_CORRUPT", `${place}: the compressed data is broken`, { cause: error });
  }
  if (out.length !== into.length) {
    throw new Fault("IMAGE_CORRUPT", `${place}: decompresses to ${out.length} bytes, not to ${into.length}`);
  }
  into.set(out);
}

/** Raw deflate without header. Level 1 to 9 (12 where libdeflate is in use). */
export function encodeDeflate(bytes: Uint8Array, level: number): Uint8Array {
  return deflateRawSync(bytes, { level: Math.min(level, 9), memLevel: 9 });
}

/** A raw deflate stream that ends in a sync flush (00 00 FF FF) and no final block. */
export function encodeDeflateSync(bytes: Uint8Array, level: number): Uint8Array {
  return deflateRawSync(bytes, {
    level: Math.min(level, 9),
    memLevel: 9,
    finishFlush: constants.Z_SYNC_FLUSH,
  });
}

/** One zstd frame with its content size. Level 1 to 19. */
export function encodeZstd(bytes: Uint8Array, level: number): Uint8Array {
  return zstdCompressSync(bytes, {
    params: { [constants.ZSTD_c_compressionLevel]: level, [constants.ZSTD_c_contentSizeFlag]: 1 },
    pledgedSrcSize: bytes.length,
  });
}
