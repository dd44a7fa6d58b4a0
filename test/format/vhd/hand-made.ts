/**
 * VHDs put together byte by byte from the specification, without the code under test: what tests of reading start from.
 */

export interface Block {
  /** Bit 7 of byte 0 is the first sector; absent: all ones. */
  readonly bitmap?: Uint8Array;
  readonly data: Uint8Array;
}

export interface HandMade {
  readonly type: 2 | 3 | 4;
  readonly size: number;
  readonly creator?: string;
  readonly geometry?: readonly [cylinders: number, heads: number, sectors: number];
  readonly uuid: string;
  readonly timestamp?: number;
  readonly saved?: boolean;
  /** Fixed disks: the guest's bytes. */
  readonly guest?: Uint8Array;
  readonly blockSize?: number;
  readonly blocks?: ReadonlyMap<number, Block>;
  readonly parent?: { readonly uuid: string; readonly timestamp: number; readonly name: string };
}

export function checksum(bytes: Uint8Array, at: number): number {
  let sum = 0;
  bytes.forEach((byte, i) => {
    if (i < at || i >= at + 4) sum += byte;
  });
  return 0xffff_ffff - sum;
}

/** Writes the checksum of the structure of `length` bytes at `start` into its field. */
export function fixChecksum(file: Buffer, start: number, length: number, field: number): void {
  file.writeUInt32BE(checksum(file.subarray(start, start + length), field), start + field);
}

export function footerOf(image: HandMade): Buffer {
  const footer = Buffer.alloc(512);
  footer.write("conectix", 0, "latin1");
  footer.writeUInt32BE(2, 8);
  footer.writeUInt32BE(0x10000, 12);
  footer.writeBigUInt64BE(image.type === 2 ? 0xffffffffffffffffn : 512n, 16);
  footer.writeUInt32BE(image.timestamp ?? 1000, 24);
  footer.write(image.creator ?? "win ", 28, "latin1");
  footer.writeBigUInt64BE(BigInt(image.size), 40);
  footer.writeBigUInt64BE(BigInt(image.size), 48);
  const [cylinders, heads, sectors] = image.geometry ?? [0, 0, 0];
  footer.writeUInt16BE(cylinders, 56);
  footer.writeUInt8(heads, 58);
  footer.writeUInt8(sectors, 59);
  footer.writeUInt32BE(image.type, 60);
  Buffer.from(image.uuid, "hex").copy(footer, 68);
  footer.writeUInt8(image.saved === true ? 1 : 0, 84);
  fixChecksum(footer, 0, 512, 64);
  return footer;
}

export function handMade(image: HandMade): Buffer {
  const footer = footerOf(image);
  if (image.type === 2) return Buffer.concat([image.guest ?? Buffer.alloc(image.size), footer]);
  const blockSize = image.blockSize ?? 4096;
  const entries = Math.ceil(image.size / blockSize);
  const header = Buffer.alloc(1024);
  header.write("cxsparse", 0, "latin1");
  header.fill(0xff, 8, 16);
  header.writeBigUInt64BE(1536n, 16);
  header.writeUInt32BE(0x10000, 24);
  header.writeUInt32BE(entries, 28);
  header.writeUInt32BE(blockSize, 32);
  if (image.parent !== undefined) {
    Buffer.from(image.parent.uuid, "hex").copy(header, 40);
    header.writeUInt32BE(image.parent.timestamp, 56);
    Buffer.from(image.parent.name, "utf16le").swap16().copy(header, 64);
  }
  fixChecksum(header, 0, 1024, 36);
  const table = Buffer.alloc(Math.ceil((entries * 4) / 512) * 512, 0xff);
  const bitmapSize = Math.ceil(blockSize / 512 / 8 / 512) * 512;
  const parts: Buffer[] = [];
  let at = 1536 + table.length;
  // Stored in reverse guest order, which a reader must not mind.
  for (const [index, { bitmap, data }] of [...(image.blocks ?? [])].reverse()) {
    table.writeUInt32BE(at / 512, index * 4);
    const bits = Buffer.alloc(bitmapSize, bitmap === undefined ? 0xff : 0);
    if (bitmap !== undefined) Buffer.from(bitmap).copy(bits);
    parts.push(bits, Buffer.concat([data, Buffer.alloc(blockSize - data.length)]));
    at += bitmapSize + blockSize;
  }
  return Buffer.concat([footer, header, table, ...parts, footer]);
}
