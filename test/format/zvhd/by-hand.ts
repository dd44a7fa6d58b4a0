/**
 * The two formats taken apart and put together straight from their description, with node:zlib alone: no code under
 * test is used, so a mistake that writer and reader share shows here.
 */
import { constants, createDeflate, inflateSync, zstdDecompressSync } from "node:zlib";

export const BLOCK = 2 * 1024 ** 2;

export interface HandRecord {
  readonly block: number;
  readonly offset: number;
  readonly length: number;
  readonly payload: Buffer;
  /** Between payload and "end": the format's own driver leaves remains of its buffer there. */
  readonly padding: Buffer;
}

/** Fields of the first 512 bytes that two files of one disk have in common. */
export function commonFields(file: Buffer): Record<string, unknown> {
  return {
    cookie: file.toString("latin1", 0, 8),
    features: file.readUInt32LE(8),
    version: file.readUInt32LE(12),
    dataOffset: file.readBigUInt64LE(16),
    creator: file.toString("latin1", 28, 32),
    creatorVersion: file.readUInt32LE(32),
    creatorOs: file.readUInt32LE(36),
    originalSize: file.readBigUInt64LE(40),
    currentSize: file.readBigUInt64LE(48),
    geometry: file.readUInt32LE(56),
    type: file.readUInt32LE(60),
    rest: file.toString("hex", 84, 96),
    reserved: file.subarray(142, 4096).every((byte) => byte === 0),
  };
}

export function checksumFits(block: Buffer): boolean {
  let sum = 0;
  for (let i = 0; i < 512; i += 1) if (i < 64 || i >= 68) sum += block[i] ?? 0;
  return block.readUInt32LE(64) === 0xffff_ffff - sum;
}

export function fixChecksum(file: Buffer, at: number): void {
  let sum = 0;
  for (let i = 0; i < 512; i += 1) if (i < 64 || i >= 68) sum += file[at + i] ?? 0;
  file.writeUInt32LE(0xffff_ffff - sum, at + 64);
}

/** Walks the records from offset 4096; checks prefix, reserved fields and "end". */
export function walk(file: Buffer): { readonly records: HandRecord[]; readonly end: number } {
  const records: HandRecord[] = [];
  let at = 4096;
  while (file.toString("latin1", at, at + 12) === "hwstream bg\0") {
    const size = file.readUInt32LE(at + 12);
    const length = Math.ceil((48 + size + 4) / 4096) * 4096;
    if (file.subarray(at + 20, at + 48).some((byte) => byte !== 0)) throw new Error(`no zeros in ${at}`);
    if (file.toString("latin1", at + length - 4, at + length) !== "end\0") throw new Error(`no end in ${at}`);
    const payload = file.subarray(at + 48, at + 48 + size);
    const padding = file.subarray(at + 48 + size, at + length - 4);
    records.push({ block: file.readUInt32LE(at + 16), offset: at, length, payload, padding });
    at += length;
  }
  return { records, end: at };
}

/** All records through one zlib stream, as the format's own reader does. */
export function decodeZvhd(file: Buffer): Map<number, Buffer> {
  const { records, end } = walk(file);
  if (!file.subarray(0, 4096).equals(file.subarray(end))) throw new Error("the closing block differs");
  const stream = inflateSync(Buffer.concat(records.map(({ payload }) => payload)), {
    finishFlush: constants.Z_SYNC_FLUSH,
  });
  if (stream.length !== records.length * BLOCK) throw new Error(`the stream has ${stream.length} bytes`);
  return new Map(records.map(({ block }, i) => [block, stream.subarray(i * BLOCK, (i + 1) * BLOCK)]));
}

/** Through bitmap and index, as the format's own reader does. */
export function decodeZvhd2(file: Buffer): Map<number, Buffer> {
  const footer = file.subarray(-4096);
  const maxBlocks = footer.readUInt32LE(92);
  const indexAt = Number(footer.readBigUInt64LE(96));
  const bitmapAt = Number(footer.readBigUInt64LE(104));
  const blocks = new Map<number, Buffer>();
  for (let block = 0; block < maxBlocks; block += 1) {
    if ((((file[bitmapAt + (block >> 3)] ?? 0) >> (block & 7)) & 1) === 0) continue;
    const entry = indexAt + blocks.size * 16;
    if (file.readUInt32LE(entry + 8) !== block) throw new Error(`index entry of ${block}`);
    const at = Number(file.readBigUInt64LE(entry));
    if (at % 4096 !== 0) throw new Error(`record at ${at}`);
    const payload = file.subarray(at + 48, at + 48 + file.readUInt32LE(at + 12));
    if (file.readUInt32LE(at + 16) !== block) throw new Error(`record of ${block}`);
    blocks.set(
      block,
      footer[141] === 1
        ? zstdDecompressSync(payload)
        : inflateSync(payload, { finishFlush: constants.Z_SYNC_FLUSH }),
    );
  }
  if (blocks.size !== footer.readUInt32LE(136)) throw new Error("count of stored blocks");
  return blocks;
}

/** The disk's first `length` bytes. */
export function guestOf(blocks: ReadonlyMap<number, Buffer>, length: number): Buffer {
  const guest = Buffer.alloc(length);
  for (const [block, bytes] of blocks) {
    if (bytes.length !== BLOCK) throw new Error(`block ${block} has ${bytes.length} bytes`);
    if (block * BLOCK < length) bytes.copy(guest, block * BLOCK);
    else if (bytes.some((byte) => byte !== 0)) throw new Error(`block ${block} is behind the disk`);
  }
  return guest;
}

/** A zvhd whose records refer to each other: one deflate stream over all blocks. `first` is the first block. */
export async function chained(first: Buffer, blocks: ReadonlyMap<number, Buffer>): Promise<Buffer> {
  const deflate = createDeflate();
  let pending: Buffer[] = [];
  deflate.on("data", (chunk: Buffer) => pending.push(chunk));
  const parts: Buffer[] = [first];
  for (const [block, bytes] of blocks) {
    deflate.write(bytes);
    await new Promise<void>((resolve) => deflate.flush(constants.Z_SYNC_FLUSH, resolve));
    const payload = Buffer.concat(pending);
    pending = [];
    parts.push(record(block, payload));
  }
  deflate.destroy();
  return Buffer.concat([...parts, first]);
}

export function record(block: number, payload: Uint8Array): Buffer {
  const bytes = Buffer.alloc(Math.ceil((52 + payload.length) / 4096) * 4096);
  bytes.write("hwstream bg\0", 0, "latin1");
  bytes.writeUInt32LE(payload.length, 12);
  bytes.writeUInt32LE(block, 16);
  bytes.set(payload, 48);
  bytes.write("end\0", bytes.length - 4, "latin1");
  return bytes;
}
