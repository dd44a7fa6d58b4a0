/** Turns guest blocks into records, each of which decodes alone. */
import { encodeDeflateSync, encodeZstd } from "../../codec/codec.ts";
import { Fault } from "../../fault/fault.ts";
import type { Encoding, UnitEncoder } from "../format.ts";
import { BLOCK } from "./header.ts";
import { addRecord, recordLength } from "./record.ts";
import { storedDeflate, storedDeflateLength, storedZstd, storedZstdLength } from "./stored.ts";

/** Begins a zlib stream: 32 KiB window, fastest level, as the format's own driver writes it. */
const ZLIB_HEADER = Uint8Array.of(0x78, 0x01);

/** Longest record that the encoders write: compressed bytes that are no shorter are stored plain. */
export const MAX_STORED_RECORD = recordLength(
  Math.max(ZLIB_HEADER.length + storedDeflateLength(BLOCK), storedZstdLength(BLOCK)),
);

/**
 * The file's first block goes out before the record of guest block 0; the entry of a unit counts its record alone.
 * @throws Fault INTERNAL for an encoding that no layout of these formats gives
 */
export function recordEncoder({ format, compression, level, prologue }: Encoding): UnitEncoder {
  if (prologue === undefined) throw new Fault("INTERNAL", `${format} records need the file's first block`);
  const plain = compression === "zstd" ? storedZstd : storedDeflate;
  const compress = compression === "zstd" ? encodeZstd : encodeDeflateSync;
  const plainLength = compression === "zstd" ? storedZstdLength(BLOCK) : storedDeflateLength(BLOCK);
  // One zlib stream runs through a zvhd; in a zvhd2 each record begins its own.
  const begins = (unit: number) => compression === "zlib" && (format === "zvhd2" || unit === 0);
  return {
    encode(bytes, guestUnit, effort, out) {
      if (guestUnit === 0) out.add(prologue);
      const packed = effort === "full" ? compress(bytes, level) : undefined;
      const payload = packed !== undefined && packed.length < plainLength ? packed : plain(bytes);
      return addRecord(guestUnit, begins(guestUnit) ? [ZLIB_HEADER, payload] : [payload], out);
    },
  };
}
