/**
 * Where a zstd frame ends (RFC 8878, section 3.1). Decoders of whole buffers refuse bytes behind a frame, and images
 * have such bytes: a compressed cluster is followed by what stands next in its last sector.
 */

const FRAME_MAGIC = 0xfd2fb528;
/** Sixteen magic numbers differ in their last four bits. */
const SKIPPABLE_MAGIC = 0x184d2a50;
const SKIPPABLE_HEADER = 8;
const BLOCK_HEADER = 3;
const CHECKSUM = 4;
const RLE_BLOCK = 1;
const RESERVED_BLOCK = 3;

export interface ZstdFrame {
  /** `skippable`: holds no content. */
  readonly kind: "content" | "skippable";
  /** Bytes of the frame, header and checksum included. */
  readonly length: number;
}

/** The frame at the start of `bytes`; undefined when there is none, or not the whole of one. */
export function zstdFrame(bytes: Uint8Array): ZstdFrame | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (bytes.length < SKIPPABLE_HEADER) return undefined;
  const magic = view.getUint32(0, true);
  if ((magic & 0xfffffff0) >>> 0 === SKIPPABLE_MAGIC) {
    const length = SKIPPABLE_HEADER + view.getUint32(4, true);
    return length <= bytes.length ? { kind: "skippable", length } : undefined;
  }
  if (magic !== FRAME_MAGIC) return undefined;

  const descriptor = view.getUint8(4);
  const singleSegment = (descriptor >> 5) & 1;
  const windowBytes = 1 - singleSegment;
  const dictionaryBytes = [0, 1, 2, 4][descriptor & 3] as number;
  const sizeBytes = [singleSegment, 2, 4, 8][descriptor >> 6] as number;
  let at = 5 + windowBytes + dictionaryBytes + sizeBytes;
  for (let last = 0; last === 0; ) {
    if (at + BLOCK_HEADER > bytes.length) return undefined;
    const header = view.getUint16(at, true) | (view.getUint8(at + 2) << 16);
    last = header & 1;
    const type = (header >> 1) & 3;
    if (type === RESERVED_BLOCK) return undefined;
    at += BLOCK_HEADER + (type === RLE_BLOCK ? 1 : header >> 3);
  }
  if (descriptor & 4) at += CHECKSUM;
  return at <= bytes.length ? { kind: "content", length: at } : undefined;
}
