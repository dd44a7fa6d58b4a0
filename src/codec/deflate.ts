/** Raw deflate (RFC 1951) of one unit, by node:zlib, libdeflate or ISA-L. */
import { atLeast } from "../bytes/grow.ts";
import { Fault } from "../fault/fault.ts";
import type { Libdeflate } from "../native/libdeflate.ts";
import type { Libisal } from "../native/libisal.ts";
import { zlib } from "../native/zlib.ts";

export interface Deflate {
  /** For people. */
  readonly name: string;
  /**
   * Fills the whole of `into`. A final block is not asked for, so that streams which end in a sync flush, or which
   * the end of the file cuts right behind their last byte, are sound. Slack behind a final block is not looked at.
   * `window` is output that the stream may refer back to.
   * @throws Fault IMAGE_CORRUPT, naming `place`, unless exactly `into.length` bytes come out.
   */
  inflate(coded: Uint8Array, into: Uint8Array, place: string, window: Uint8Array | undefined): void;
  /** One stream with a final block. Good until the next call. */
  deflate(bytes: Uint8Array, level: number): Uint8Array;
}

/** Bytes that a stream can refer back to. */
const WINDOW = 32 * 1024;
const NO_BYTES = new Uint8Array(0);
/** The level at which ISA-L, which has no higher ones, takes the place of others. */
export const FIRST_LEVEL = 1;
const MAX_ZLIB_LEVEL = 9;
/** More than the default, as qemu does: a larger hash table, same format. */
const MEMORY_LEVEL = 9;

export const zlibDeflate: Deflate = {
  name: "node:zlib",
  inflate(coded, into, place, window) {
    const { constants, inflateRawSync } = zlib();
    const history = window?.subarray(-WINDOW) ?? NO_BYTES;
    let out: Uint8Array;
    try {
      out = inflateRawSync(coded, {
        finishFlush: constants.Z_SYNC_FLUSH,
        maxOutputLength: into.length,
        // One buffer, with room to notice that the output goes on.
        chunkSize: into.length + constants.Z_MIN_CHUNK,
        ...(history.length === 0 ? {} : { dictionary: history }),
      });
    } catch (error) {
      throw broken(place, error);
    }
    if (out.length !== into.length) throw wrongLength(place, out.length, into.length);
    into.set(out);
  },
  deflate: (bytes, level) =>
    zlib().deflateRawSync(bytes, { level: Math.min(level, MAX_ZLIB_LEVEL), memLevel: MEMORY_LEVEL }),
};

/** A stream that ends in a sync flush (00 00 FF FF) and no final block: libdeflate has none. */
export function deflateSync(bytes: Uint8Array, level: number, isal: () => Libisal | undefined): Uint8Array {
  // Smaller than zlib's, and more than twice as fast.
  const fast = level === FIRST_LEVEL ? isal()?.deflate(bytes, "flush") : undefined;
  if (fast !== undefined) return fast;
  const { constants, deflateRawSync } = zlib();
  return deflateRawSync(bytes, {
    level: Math.min(level, MAX_ZLIB_LEVEL),
    memLevel: MEMORY_LEVEL,
    finishFlush: constants.Z_SYNC_FLUSH,
  });
}

/**
 * libdeflate knows neither a window nor a stream without a final block, but both can be put in its terms: a stored
 * block in front yields the window, and an empty final block behind a sync flush ends the stream. What it still
 * refuses, zlib decides.
 */
export function libdeflateDeflate(library: Libdeflate): Deflate {
  let input: Uint8Array = NO_BYTES;
  let output: Uint8Array = NO_BYTES;
  return {
    name: `libdeflate (${library.name})`,
    inflate(coded, into, place, window) {
      const history = window?.subarray(-WINDOW) ?? NO_BYTES;
      const flushed = endsInSyncFlush(coded);
      if (history.length === 0 && !flushed) {
        if (library.inflate(coded, into)) return;
      } else {
        const before = history.length === 0 ? NO_BYTES : storedHeader(history.length);
        const after = flushed ? EMPTY_FINAL_BLOCK : NO_BYTES;
        const pieces = [before, history, coded, after];
        const length = pieces.reduce((sum, piece) => sum + piece.length, 0);
        input = atLeast(input, length);
        let at = 0;
        for (const piece of pieces) {
          input.set(piece, at);
          at += piece.length;
        }
        const whole = input.subarray(0, length);
        if (history.length === 0) {
          if (library.inflate(whole, into)) return;
        } else {
          output = atLeast(output, history.length + into.length);
          const decoded = output.subarray(0, history.length + into.length);
          if (library.inflate(whole, decoded)) {
            into.set(decoded.subarray(history.length));
            return;
          }
        }
      }
      zlibDeflate.inflate(coded, into, place, window);
    },
    deflate(bytes, level) {
      output = atLeast(output, library.bound(bytes.length));
      return output.subarray(0, library.deflate(bytes, level, output));
    },
  };
}

/** RFC 1951, section 3.2.6: a final block with fixed codes that holds nothing but its end. */
const EMPTY_FINAL_BLOCK = Uint8Array.of(0x03, 0x00);

/** RFC 1951, section 3.2.4: not final, stored, length and its complement. */
function storedHeader(length: number): Uint8Array {
  return Uint8Array.of(0, length & 255, length >> 8, ~length & 255, (~length >> 8) & 255);
}

function endsInSyncFlush(coded: Uint8Array): boolean {
  const end = coded.length;
  return coded[end - 4] === 0 && coded[end - 3] === 0 && coded[end - 2] === 0xff && coded[end - 1] === 0xff;
}

export function broken(place: string, cause?: unknown): Fault {
  return new Fault("IMAGE_CORRUPT", `${place}: the compressed data is broken`, { cause });
}

export function wrongLength(place: string, found: number, wanted: number): Fault {
  return new Fault("IMAGE_CORRUPT", `${place}: decompresses to ${found} bytes, not to ${wanted}`);
}
