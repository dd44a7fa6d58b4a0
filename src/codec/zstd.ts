/** zstd (RFC 8878) of one unit, by node:zlib or by libzstd. */
import { atLeast } from "../bytes/grow.ts";
import type { Libzstd } from "../native/libzstd.ts";
import { zlib } from "../native/zlib.ts";
import { broken, wrongLength } from "./deflate.ts";
import { zstdFrame } from "./zstd-frame.ts";

export interface Zstd {
  /** For people. */
  readonly name: string;
  /** @returns the bytes that the frame has put into `into`; undefined when it is broken or yields more than fit. */
  decodeFrame(frame: Uint8Array, into: Uint8Array): number | undefined;
  /** One frame with its content size. Good until the next call. */
  encode(bytes: Uint8Array, level: number): Uint8Array;
}

/** RFC 8878, section 3.1.1.1.2: a decoder should support windows of 8 MiB; more is only asked for to eat memory. */
const MIN_WINDOW_LOG = 23;

/** More than the frame's header, its checksum and what a short frame may grow by, in bytes. */
const FRAME_OVERHEAD = 512;

export const zlibZstd: Zstd = {
  name: "node:zlib",
  decodeFrame(frame, into) {
    const { constants, zstdDecompressSync } = zlib();
    try {
      const out = zstdDecompressSync(frame, {
        maxOutputLength: into.length,
        // One buffer, with room to notice that the output goes on.
        chunkSize: into.length + constants.Z_MIN_CHUNK,
        params: {
          [constants.ZSTD_d_windowLogMax]: Math.max(MIN_WINDOW_LOG, Math.ceil(Math.log2(into.length))),
        },
      });
      into.set(out);
      return out.length;
    } catch {
      return undefined;
    }
  },
  encode(bytes, level) {
    const { constants, zstdCompressSync } = zlib();
    return zstdCompressSync(bytes, {
      // One buffer for the largest frame: node puts an empty frame behind one that fills its buffers exactly.
      chunkSize: bytes.length + (bytes.length >> 7) + FRAME_OVERHEAD,
      params: { [constants.ZSTD_c_compressionLevel]: level, [constants.ZSTD_c_contentSizeFlag]: 1 },
      pledgedSrcSize: bytes.length,
    });
  },
};

/** Decodes straight into the unit, so that a frame's window takes no memory of its own. */
export function libzstdZstd(library: Libzstd): Zstd {
  let output: Uint8Array = new Uint8Array(0);
  return {
    name: `libzstd (${library.name})`,
    decodeFrame: (frame, into) => library.decompress(frame, into),
    encode(bytes, level) {
      output = atLeast(output, library.bound(bytes.length));
      return output.subarray(0, library.compress(bytes, level, output));
    },
  };
}

/**
 * Decodes frame after frame until `into` is full; what follows is not looked at.
 * @throws Fault IMAGE_CORRUPT, naming `place`, unless exactly `into.length` bytes come out.
 */
export function decodeZstd(zstd: Zstd, coded: Uint8Array, into: Uint8Array, place: string): void {
  let rest = coded;
  for (let filled = 0; filled < into.length; ) {
    const frame = zstdFrame(rest);
    if (frame === undefined) {
      throw filled === 0 ? broken(place) : wrongLength(place, filled, into.length);
    }
    if (frame.kind === "content") {
      const count = zstd.decodeFrame(rest.subarray(0, frame.length), into.subarray(filled));
      if (count === undefined) throw broken(place);
      filled += count;
    }
    rest = rest.subarray(frame.length);
  }
}
