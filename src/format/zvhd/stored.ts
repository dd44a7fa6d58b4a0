/** Compressed streams that compress nothing: the way to a known, large size. */

/** Data bytes of one stored deflate block at most (RFC 1951, section 3.2.4). */
const DEFLATE_BLOCK = 0xffff;
const SYNC_FLUSH = Uint8Array.of(0, 0, 0, 0xff, 0xff);

/** A raw deflate stream of stored blocks that ends in a sync flush. */
export function storedDeflate(bytes: Uint8Array): Uint8Array {
  const out = new Uint8Array(storedDeflateLength(bytes.length));
  const view = new DataView(out.buffer);
  let at = 0;
  for (let from = 0; from < bytes.length; from += DEFLATE_BLOCK) {
    const part = bytes.subarray(from, from + DEFLATE_BLOCK);
    view.setUint16(at + 1, part.length, true);
    view.setUint16(at + 3, ~part.length & 0xffff, true);
    out.set(part, at + 5);
    at += 5 + part.length;
  }
  out.set(SYNC_FLUSH, at);
  return out;
}

export function storedDeflateLength(length: number): number {
  return length + Math.ceil(length / DEFLATE_BLOCK) * 5 + SYNC_FLUSH.length;
}

/** Data bytes of one zstd block at most (RFC 8878, section 3.1.1.2.4). */
const ZSTD_BLOCK = 128 * 1024;
/** Magic, then a descriptor that says: one segment, content size in four bytes. */
const ZSTD_START = Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0xa0);

/** One zstd frame of raw blocks, with its content size. `bytes` are at least one and below 4 GiB. */
export function storedZstd(bytes: Uint8Array): Uint8Array {
  const out = new Uint8Array(storedZstdLength(bytes.length));
  const view = new DataView(out.buffer);
  out.set(ZSTD_START);
  view.setUint32(ZSTD_START.length, bytes.length, true);
  let at = ZSTD_START.length + 4;
  for (let from = 0; from < bytes.length; from += ZSTD_BLOCK) {
    const part = bytes.subarray(from, from + ZSTD_BLOCK);
    const last = from + part.length === bytes.length ? 1 : 0;
    const head = part.length * 8 + last;
    out.set([head & 0xff, (head >> 8) & 0xff, head >> 16], at);
    out.set(part, at + 3);
    at += 3 + part.length;
  }
  return out;
}

export function storedZstdLength(length: number): number {
  return ZSTD_START.length + 4 + Math.ceil(length / ZSTD_BLOCK) * 3 + length;
}
