/**
 * Coded units to guest bytes and back. Deflate goes through libdeflate and ISA-L, zstd through libzstd where the machine
 * has them, else through node:zlib.
 */
import { libdeflate } from "../native/libdeflate.ts";
import { libisal } from "../native/libisal.ts";
import { libzstd } from "../native/libzstd.ts";
import { broken, type Deflate, deflateSync, libdeflateDeflate, zlibDeflate } from "./deflate.ts";
import { type UnitDeflater, unitDeflater } from "./unit-deflater.ts";
import { decodeZstd, libzstdZstd, zlibZstd } from "./zstd.ts";

/** How stored bytes become guest bytes. `deflate` is a raw deflate stream without header. */
export type Codec = "deflate" | "deflate-chain" | "zlib" | "zstd";

/** What does the work, for people. */
export interface CodecHelpers {
  readonly deflate: string;
  readonly zstd: string;
}

export interface UnitCodec {
  /**
   * Decodes one unit: fills the whole of `into`. `coded` may carry slack behind the end of its stream.
   * `window` is the output that stands before the unit in a chained stream (`deflate-chain` only).
   * @throws Fault IMAGE_CORRUPT, naming `place`, when the stream is broken or yields another number of bytes; what
   * `into` holds is then undefined.
   */
  decodeUnit(codec: Codec, coded: Uint8Array, into: Uint8Array, place: string, window?: Uint8Array): void;
  /** Raw deflate without header. Level 1 to 9 (12 where libdeflate is in use). Good until the next call. */
  encodeDeflate(bytes: Uint8Array, level: number): Uint8Array;
  /** The same for the units of one segment, in their order: faster at level 1. */
  unitDeflater(): UnitDeflater;
  /** A raw deflate stream that ends in a sync flush (00 00 FF FF) and no final block. Level 1 to 9. Good until the next call. */
  encodeDeflateSync(bytes: Uint8Array, level: number): Uint8Array;
  /** One zstd frame with its content size. Level 1 to 19. Good until the next call. */
  encodeZstd(bytes: Uint8Array, level: number): Uint8Array;
  readonly helpers: CodecHelpers;
}

/** `any`: the fastest that this machine has. `built-in`: nothing but Node itself. */
export function unitCodec(helpers: "any" | "built-in"): UnitCodec {
  const [deflater, zstder] = helpers === "any" ? [libdeflate(), libzstd()] : [undefined, undefined];
  const isal = () => (helpers === "any" ? libisal() : undefined);
  const deflate = deflater === undefined ? zlibDeflate : libdeflateDeflate(deflater);
  const zstd = zstder === undefined ? zlibZstd : libzstdZstd(zstder);
  return {
    decodeUnit(codec, coded, into, place, window) {
      if (codec === "zstd") decodeZstd(zstd, coded, into, place);
      else if (codec === "zlib") inflateZlib(deflate, coded, into, place);
      else deflate.inflate(coded, into, place, codec === "deflate-chain" ? window : undefined);
    },
    encodeDeflate: deflate.deflate,
    unitDeflater: () => unitDeflater(deflate, isal),
    encodeDeflateSync: (bytes, level) => deflateSync(bytes, level, isal),
    encodeZstd: (bytes, level) => zstd.encode(bytes, level),
    get helpers() {
      const fast = isal();
      return {
        deflate: fast === undefined ? deflate.name : `${deflate.name} with ISA-L (${fast.name})`,
        zstd: zstd.name,
      };
    },
  };
}

/** Skips the header (RFC 1950, section 2.2) and asks for no checksum: units in images end before it. */
function inflateZlib(deflate: Deflate, coded: Uint8Array, into: Uint8Array, place: string): void {
  const [method = 0, flags = 0] = coded;
  const isDeflate = (method & 15) === 8 && method >> 4 <= 7;
  const needsDictionary = (flags & 32) !== 0;
  if (!isDeflate || needsDictionary || ((method << 8) | flags) % 31 !== 0) throw broken(place);
  deflate.inflate(coded.subarray(2), into, place, undefined);
}

let fastest: UnitCodec | undefined;

function codecOfThread(): UnitCodec {
  fastest ??= unitCodec("any");
  return fastest;
}

/** What this thread's codec uses; see UnitCodec.helpers. */
export function codecHelpers(): CodecHelpers {
  return codecOfThread().helpers;
}

/** See UnitCodec. */
export const decodeUnit: UnitCodec["decodeUnit"] = (codec, coded, into, place, window) =>
  codecOfThread().decodeUnit(codec, coded, into, place, window);

/** See UnitCodec. */
export const encodeDeflate: UnitCodec["encodeDeflate"] = (bytes, level) =>
  codecOfThread().encodeDeflate(bytes, level);

/** See UnitCodec. */
export const deflaterOfUnits: UnitCodec["unitDeflater"] = () => codecOfThread().unitDeflater();

/** See UnitCodec. */
export const encodeDeflateSync: UnitCodec["encodeDeflateSync"] = (bytes, level) =>
  codecOfThread().encodeDeflateSync(bytes, level);

/** See UnitCodec. */
export const encodeZstd: UnitCodec["encodeZstd"] = (bytes, level) => codecOfThread().encodeZstd(bytes, level);
