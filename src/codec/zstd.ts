/** zstd (RFC 8878) of one unit. */
import { constants, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { broken, wrongLength } from "./deflate.ts";
import { zstdFrame } from "./zstd-frame.ts";

/** RFC 8878, section 3.1.1.1.2: a decoder should support windows of 8 MiB; more is only asked for to eat memory. */
const MIN_WINDOW_LOG = 23;

/**
 * Decodes frame after frame until `into` is full; what follows is not looked at.
 * @throws Fault IMAGE_CORRUPT, naming `place`, unless exactly `into.length` bytes come out.
 */
export function decodeZstd(coded: Uint8Array, into: Uint8Array, place: string): void {
  let rest = coded;
  for (let filled = 0; filled < into.length; ) {
    const frame = zstdFrame(rest);
    if (frame === undefined) {
      throw filled === 0 ? broken(place) : wrongLength(place, filled, into.length);
    }
    if (frame.kind === "content") {
      const out = decodeFrame(rest.subarray(0, frame.length), into.length - filled, place);
      into.set(out, filled);
      filled += out.length;
    }
    rest = rest.subarray(frame.length);
  }
}

function decodeFrame(frame: Uint8Array, room: number, place: string): Uint8Array {
  try {
    return zstdDecompressSync(frame, {
      maxOutputLength: room,
      // One buffer, with room to notice that the output goes on.
      chunkSize: room + constants.Z_MIN_CHUNK,
      params: {
        [constants.ZSTD_d_windowLogMax]: Math.max(MIN_WINDOW_LOG, Math.ceil(Math.log2(room))),
      },
    });
  } catch (error) {
    throw broken(place, error);
  }
}

export function encodeZstd(bytes: Uint8Array, level: number): Uint8Array {
  return zstdCompressSync(bytes, {
    params: { [constants.ZSTD_c_compressionLevel]: level, [constants.ZSTD_c_contentSizeFlag]: 1 },
    pledgedSrcSize: bytes.length,
  });
}
