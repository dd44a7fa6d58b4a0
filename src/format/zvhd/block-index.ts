/** The index and bitmap of a zvhd2: the bitmap says which guest blocks are stored, the index where. */
import { endOf, type Range } from "../../bytes/range.ts";
import { Fault } from "../../fault/fault.ts";
import type { Source } from "../../source/source.ts";
import {
  BITMAP_SEGMENT,
  INDEX_ENTRY,
  INDEX_SEGMENT,
  type IndexFields,
  PAGE,
  SEGMENT_BLOCKS,
} from "./header.ts";
import { MAX_RECORD } from "./record.ts";
import { RecordTable } from "./record-table.ts";

/** Record lengths, counted in pages, are below this: a place and a length fit one exact number. */
const LENGTH_LIMIT = 2048;

/**
 * Reads both and checks that they agree, and that every record lies inside the file, off the tables and off every other
 * record. Index entries behind the last stored block may hold anything.
 * @throws Fault IMAGE_CORRUPT, IMAGE_TRUNCATED
 */
export async function readBlockIndex(
  source: Source,
  fields: IndexFields,
  signal: AbortSignal,
): Promise<RecordTable> {
  const tables = tableRanges(source, fields);
  if (fields.storedBlocks * PAGE > source.size) {
    throw new Fault(
      "IMAGE_CORRUPT",
      `${source.name}: ${fields.storedBlocks} stored blocks do not fit into a file of ${source.size} bytes`,
    );
  }
  const records = new RecordTable();
  const places = new Float64Array(fields.storedBlocks);
  const index = indexEntries(source, fields, signal);
  for await (const block of storedBlocks(source, fields, signal)) {
    const rank = records.count;
    const entry = await index(rank);
    const place = `${source.name}: index entry ${rank}`;
    if (entry.block !== block) {
      throw new Fault(
        "IMAGE_CORRUPT",
        `${place}: is of guest block ${entry.block}, but the bitmap says ${block}`,
      );
    }
    checkRecord(source, entry, tables, place);
    records.add(entry);
    places[rank] = (entry.offset / PAGE) * LENGTH_LIMIT + entry.length / PAGE;
  }
  if (records.count !== fields.storedBlocks) {
    throw new Fault(
      "IMAGE_CORRUPT",
      `${source.name}: the bitmap has ${records.count} blocks, but the footer says ${fields.storedBlocks}`,
    );
  }
  checkOverlaps(source, places.sort());
  return records;
}

/** The ranges that no record may touch: first block, index, bitmap, footer. */
function tableRanges(source: Source, fields: IndexFields): readonly Range[] {
  const index: Range = { offset: fields.indexOffset, length: fields.indexSegments * INDEX_SEGMENT };
  const bitmap: Range = { offset: fields.bitmapOffset, length: fields.bitmapSegments * BITMAP_SEGMENT };
  for (const [name, range] of [
    ["index", index],
    ["bitmap", bitmap],
  ] as const) {
    if (range.offset >= PAGE && endOf(range) <= source.size - PAGE) continue;
    throw new Fault(
      "IMAGE_CORRUPT",
      `${source.name}: the ${name} at ${range.offset} with ${range.length} bytes does not fit between the first ` +
        `and the last block of the file (${source.size} bytes)`,
    );
  }
  if (meets(index, bitmap)) {
    throw new Fault(
      "IMAGE_CORRUPT",
      `${source.name}: the index at ${index.offset} overlaps the bitmap at ${bitmap.offset}`,
    );
  }
  return [{ offset: 0, length: PAGE }, index, bitmap, { offset: source.size - PAGE, length: PAGE }];
}

/** Guest blocks whose bit is set, ascending. */
async function* storedBlocks(
  source: Source,
  fields: IndexFields,
  signal: AbortSignal,
): AsyncGenerator<number> {
  const bitmap = new Uint8Array(BITMAP_SEGMENT);
  let count = 0;
  for (let segment = 0; segment < fields.bitmapSegments; segment += 1) {
    await source.read(bitmap, fields.bitmapOffset + segment * BITMAP_SEGMENT, signal);
    for (let i = 0; i < SEGMENT_BLOCKS; i += 1) {
      if ((((bitmap[i >> 3] ?? 0) >> (i & 7)) & 1) === 0) continue;
      const block = segment * SEGMENT_BLOCKS + i;
      count += 1;
      if (block >= fields.maxBlocks || count > fields.storedBlocks) {
        throw new Fault(
          "IMAGE_CORRUPT",
          block >= fields.maxBlocks
            ? `${source.name}: the bitmap marks guest block ${block}, but the disk has ${fields.maxBlocks}`
            : `${source.name}: the bitmap marks more than the ${fields.storedBlocks} blocks that the footer counts`,
        );
      }
      yield block;
    }
  }
}

interface IndexEntry {
  readonly block: number;
  readonly offset: number;
  /** Record bytes. */
  readonly length: number;
}

/** Entries by rank, asked for in ascending order: one segment is in memory at a time. */
function indexEntries(source: Source, fields: IndexFields, signal: AbortSignal) {
  const bytes = new Uint8Array(fields.indexSegments > 0 ? INDEX_SEGMENT : 0);
  const view = new DataView(bytes.buffer);
  let loaded = -1;
  return async (rank: number): Promise<IndexEntry> => {
    const segment = Math.floor(rank / SEGMENT_BLOCKS);
    if (segment !== loaded) {
      await source.read(bytes, fields.indexOffset + segment * INDEX_SEGMENT, signal);
      loaded = segment;
    }
    const at = (rank % SEGMENT_BLOCKS) * INDEX_ENTRY;
    return {
      offset: Number(view.getBigUint64(at, true)),
      block: view.getUint32(at + 8, true),
      length: view.getUint32(at + 12, true),
    };
  };
}

function checkRecord(source: Source, entry: IndexEntry, tables: readonly Range[], place: string): void {
  const { offset, length } = entry;
  if (length === 0 || length > MAX_RECORD || length % PAGE !== 0) {
    throw new Fault(
      "IMAGE_CORRUPT",
      `${place}: the record length ${length} is not a multiple of ${PAGE} within ${PAGE} and ${MAX_RECORD}`,
    );
  }
  if (offset % PAGE !== 0) {
    throw new Fault("IMAGE_CORRUPT", `${place}: the record offset ${offset} is not a multiple of ${PAGE}`);
  }
  if (endOf(entry) > source.size) {
    throw new Fault(
      "IMAGE_TRUNCATED",
      `${place}: the record at ${offset} with ${length} bytes runs past the end of the file (${source.size})`,
    );
  }
  const clash = tables.find((range) => meets(range, entry));
  if (clash !== undefined) {
    throw new Fault(
      "IMAGE_CORRUPT",
      `${place}: the record at ${offset} with ${length} bytes overlaps the table at ${clash.offset}`,
    );
  }
}

/** `places`, ascending: first page of a record times LENGTH_LIMIT, plus its pages. */
function checkOverlaps(source: Source, places: Float64Array): void {
  let end = 0;
  for (const place of places) {
    const start = Math.floor(place / LENGTH_LIMIT);
    if (start < end) {
      throw new Fault(
        "IMAGE_CORRUPT",
        `${source.name}: the record at offset ${start * PAGE} overlaps the one before it`,
      );
    }
    end = start + (place % LENGTH_LIMIT);
  }
}

function meets(a: Range, b: Range): boolean {
  return a.offset < endOf(b) && b.offset < endOf(a);
}
