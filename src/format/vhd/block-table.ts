/** The block allocation table: which sector of the file each block of the guest begins at. */
import { endOf, type Range } from "../../bytes/range.ts";
import { alignUp, MiB, SECTOR } from "../../bytes/units.ts";
import { Fault } from "../../fault/fault.ts";
import type { Source } from "../../source/source.ts";
import type { DynamicHeader } from "./dynamic-header.ts";
import { FOOTER_SIZE } from "./footer.ts";

/** The table entry of a block that is not stored. */
export const ABSENT = 0xffff_ffff;

/** Entries at most: 16 MiB of table, enough for 2040 GiB in blocks of 512 KiB. */
const MAX_ENTRIES = 4 * 1024 ** 2;
const READ_SIZE = MiB;

export interface BlockTable {
  readonly blockSize: number;
  /** Bytes of the sector bitmap that precedes each block's data. */
  readonly bitmapSize: number;
  /** Sector number of each guest block's bitmap, or ABSENT. */
  readonly sectors: Uint32Array;
}

/** Bytes of the bitmap with one bit per sector of a block, in whole sectors. */
export function bitmapSizeOf(blockSize: number): number {
  return alignUp(Math.ceil(blockSize / SECTOR / 8), SECTOR);
}

/**
 * Reads the table and checks that every stored block lies inside the file, off the metadata and off every other
 * block. `metadata` are the ranges that hold the headers.
 * @throws Fault IMAGE_CORRUPT, IMAGE_TRUNCATED, LIMIT_EXCEEDED
 */
export async function readBlockTable(
  source: Source,
  { tableOffset, maxEntries, blockSize }: DynamicHeader,
  guestSize: number,
  metadata: readonly Range[],
  signal: AbortSignal,
): Promise<BlockTable> {
  const count = Math.ceil(guestSize / blockSize);
  if (count > MAX_ENTRIES) {
    throw new Fault(
      "LIMIT_EXCEEDED",
      `${source.name}: ${count} blocks of ${blockSize} bytes are too many; at most ${MAX_ENTRIES} are supported`,
    );
  }
  if (maxEntries < count) {
    throw new Fault(
      "IMAGE_CORRUPT",
      `${source.name}: the block table has ${maxEntries} entries, but the disk of ${guestSize} bytes needs ${count}`,
    );
  }
  if (tableOffset + BigInt(maxEntries) * 4n > BigInt(source.size - FOOTER_SIZE)) {
    throw new Fault(
      "IMAGE_CORRUPT",
      `${source.name}: the block table at ${tableOffset} with ${maxEntries} entries does not fit into the file of ` +
        `${source.size} bytes`,
    );
  }
  const table: Range = { offset: Number(tableOffset), length: maxEntries * 4 };
  const clash = metadata.find((range) => meets(range, table));
  if (clash !== undefined) {
    throw new Fault(
      "IMAGE_CORRUPT",
      `${source.name}: the block table at ${tableOffset} overlaps the header at ${clash.offset}`,
    );
  }
  const sectors = await readEntries(source, table.offset, count, signal);
  const blocks: BlockTable = { blockSize, bitmapSize: bitmapSizeOf(blockSize), sectors };
  checkPlaces(source, blocks, guestSize, [...metadata, table]);
  checkOverlaps(source, blocks);
  return blocks;
}

async function readEntries(source: Source, offset: number, count: number, signal: AbortSignal) {
  const sectors = new Uint32Array(count);
  const buffer = new Uint8Array(Math.min(READ_SIZE, count * 4));
  for (let done = 0; done < count; ) {
    const take = Math.min(count - done, buffer.length / 4);
    await source.read(buffer.subarray(0, take * 4), offset + done * 4, signal);
    const view = new DataView(buffer.buffer);
    for (let i = 0; i < take; i += 1) sectors[done + i] = view.getUint32(i * 4);
    done += take;
  }
  return sectors;
}

function checkPlaces(source: Source, table: BlockTable, guestSize: number, metadata: readonly Range[]): void {
  const { blockSize, bitmapSize, sectors } = table;
  const end = source.size - FOOTER_SIZE;
  for (const [block, sector] of sectors.entries()) {
    if (sector === ABSENT) continue;
    // The part of the last block that lies past the disk's end need not be there.
    const length = bitmapSize + Math.min(blockSize, guestSize - block * blockSize);
    const stored: Range = { offset: sector * SECTOR, length };
    if (endOf(stored) > end) {
      throw new Fault(
        stored.offset >= end ? "IMAGE_CORRUPT" : "IMAGE_TRUNCATED",
        `${source.name}: block ${block} at offset ${stored.offset} runs past the end of the file (${source.size})`,
      );
    }
    const clash = metadata.find((range) => meets(range, stored));
    if (clash !== undefined) {
      throw new Fault(
        "IMAGE_CORRUPT",
        `${source.name}: block ${block} at offset ${stored.offset} overlaps the metadata at ${clash.offset}`,
      );
    }
  }
}

function checkOverlaps(source: Source, { blockSize, bitmapSize, sectors }: BlockTable): void {
  const step = (bitmapSize + blockSize) / SECTOR;
  const sorted = sectors.filter((sector) => sector !== ABSENT).sort();
  for (let i = 1; i < sorted.length; i += 1) {
    const previous = sorted[i - 1] ?? 0;
    const sector = sorted[i] ?? 0;
    if (sector - previous >= step) continue;
    throw new Fault(
      "IMAGE_CORRUPT",
      `${source.name}: block ${sectors.lastIndexOf(sector)} at sector ${sector} overlaps block ` +
        `${sectors.indexOf(previous)} at sector ${previous}`,
    );
  }
}

function meets(a: Range, b: Range): boolean {
  return a.offset < endOf(b) && b.offset < endOf(a);
}
