/** Members of a gzip file (RFC 1952): each decodes alone, and what they decode to stands one behind the other. */
import type { UnitDeflater } from "../../codec/unit-deflater.ts";
import { zlib } from "../../native/zlib.ts";

/** Deflate; no name, no time, no system: equal content gives equal bytes. */
const HEADER = Uint8Array.of(0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff);
const TRAILER = 8;

/** The pieces of one member, in order; good until the next call. */
export type Member = readonly [header: Uint8Array, coded: Uint8Array, trailer: Uint8Array];

export function memberLength(member: Member): number {
  return member.reduce((sum, piece) => sum + piece.length, 0);
}

export function memberOf(bytes: Uint8Array, level: number, deflate: UnitDeflater): Member {
  const coded = deflate(bytes, level);
  return coded.length > bytes.length ? plainMember(bytes) : [HEADER, coded, trailerOf(bytes)];
}

export function plainMember(bytes: Uint8Array): Member {
  return [HEADER, zlib().deflateRawSync(bytes, { level: 0 }), trailerOf(bytes)];
}

/** Most bytes of a member of so many: a stored block of deflate takes up to 64 KiB and five bytes more. */
export function longestMember(length: number): number {
  return HEADER.length + length + 5 * (Math.ceil(length / 16_383) + 1) + TRAILER;
}

/** As short as deflate makes it, for what is made once and used often. */
export function denseMember(bytes: Uint8Array): Uint8Array {
  return Buffer.concat([HEADER, zlib().deflateRawSync(bytes, { level: 9 }), trailerOf(bytes)]);
}

/** CRC-32 and length of what was coded. */
function trailerOf(bytes: Uint8Array): Uint8Array {
  const trailer = Buffer.alloc(TRAILER);
  trailer.writeUInt32LE(zlib().crc32(bytes), 0);
  trailer.writeUInt32LE(bytes.length % 2 ** 32, 4);
  return trailer;
}
