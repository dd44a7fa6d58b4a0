/** The head of a written image, streamed: every part of it is produced in ascending order from the segments. */
import { MiB, SECTOR } from "../../bytes/units.ts";
import { Fault } from "../../fault/fault.ts";
import type { SealInput, StoredSegment } from "../format.ts";
import { PLAIN } from "./encoder.ts";
import { INCOMPATIBLE } from "./features.ts";
import { MAGIC } from "./header.ts";
import { type HeadParts, headParts, type Shape } from "./shape.ts";

const HEADER_LENGTH = 112;
const REFCOUNT_ORDER = 4;
const MAX_REFCOUNT = 65535;
/** Bit 63 of a table entry, in its high word: refcount exactly one. */
const COPIED = 0x80000000;
const COMPRESSED = 0x40000000;
/** Most bytes handed out at once. */
const CHUNK = MiB;

/**
 * Walks the segments three times: for the L2 tables in use, for refcounts, for L2 entries.
 * @throws Fault INTERNAL when the segments break the layout's contract
 */
export async function* sealHead(shape: Shape, input: SealInput): AsyncGenerator<Uint8Array> {
  const { clusterSize } = shape;
  const used = await usedTables(shape, input);
  const total = input.dataEnd / clusterSize;
  const head = input.headLength / clusterSize;
  const parts = headParts(shape, used.count, total);
  if (parts.used > head || !Number.isInteger(total) || !Number.isInteger(head)) {
    throw broken(`the head of ${input.headLength} bytes does not fit a file of ${input.dataEnd}`);
  }
  yield* chunks(clusters(shape, input, used, parts, head));
}

async function* clusters(
  shape: Shape,
  input: SealInput,
  used: UsedTables,
  parts: HeadParts,
  head: number,
): AsyncGenerator<Buffer> {
  const { clusterSize } = shape;
  yield headerCluster(shape, parts);
  yield* ascending(clusterSize, parts.refcountTable, parts.refcountBlocks, 1 + parts.refcountTable);
  yield* refcountBlocks(shape, input, parts, head);
  const l1At = 1 + parts.refcountTable + parts.refcountBlocks;
  yield* l1Table(shape, used, parts, l1At + parts.l1);
  yield* l2Tables(shape, input);
  for (let left = head - parts.used; left > 0; left -= 1) yield Buffer.alloc(clusterSize);
}

function headerCluster(shape: Shape, parts: HeadParts): Buffer {
  const { clusterSize } = shape;
  const bytes = Buffer.alloc(clusterSize);
  const zstd = shape.compression === "zstd";
  bytes.writeUInt32BE(MAGIC, 0);
  bytes.writeUInt32BE(3, 4);
  bytes.writeUInt32BE(shape.clusterBits, 20);
  writeWide(bytes, shape.virtualSize, 24);
  bytes.writeUInt32BE(shape.l1Entries, 36);
  writeWide(bytes, (1 + parts.refcountTable + parts.refcountBlocks) * clusterSize, 40);
  writeWide(bytes, clusterSize, 48);
  bytes.writeUInt32BE(parts.refcountTable, 56);
  bytes.writeUInt32BE(zstd ? INCOMPATIBLE.compression : 0, 76);
  bytes.writeUInt32BE(REFCOUNT_ORDER, 96);
  bytes.writeUInt32BE(HEADER_LENGTH, 100);
  bytes.writeUInt8(zstd ? 1 : 0, 104);
  // the zeros that follow end the list of header extensions
  return bytes;
}

/** A table of `clusterCount` clusters whose first `entries` entries point to clusters from `first` on. */
function* ascending(
  clusterSize: number,
  clusterCount: number,
  entries: number,
  first: number,
): Generator<Buffer> {
  for (let index = 0; index < clusterCount; index += 1) {
    const bytes = Buffer.alloc(clusterSize);
    for (let at = 0; at < clusterSize; at += 8) {
      const entry = (index * clusterSize + at) / 8;
      if (entry < entries) writeWide(bytes, (first + entry) * clusterSize, at);
    }
    yield bytes;
  }
}

async function* refcountBlocks(
  shape: Shape,
  input: SealInput,
  parts: HeadParts,
  head: number,
): AsyncGenerator<Buffer> {
  const { clusterSize } = shape;
  let block = Buffer.alloc(clusterSize);
  let at = 0;
  let blocks = 0;
  for await (const counts of refcounts(shape, input, parts, head)) {
    for (let cluster = 0; cluster < counts.length; cluster += 1) {
      const count = counts[cluster] ?? 0;
      if (count > MAX_REFCOUNT) throw broken(`a cluster is used ${count} times`);
      block.writeUInt16BE(count, at);
      at += 2;
      if (at === clusterSize) {
        yield block;
        blocks += 1;
        block = Buffer.alloc(clusterSize);
        at = 0;
      }
    }
  }
  if (at > 0) {
    yield block;
    blocks += 1;
  }
  if (blocks !== parts.refcountBlocks) throw broken(`the refcounts fill ${blocks} blocks`);
}

/** The refcount of every cluster of the file, in order, in runs. */
async function* refcounts(
  shape: Shape,
  input: SealInput,
  parts: HeadParts,
  head: number,
): AsyncGenerator<Uint32Array> {
  const { clusterSize } = shape;
  yield new Uint32Array(parts.used).fill(1);
  yield new Uint32Array(head - parts.used);
  let next = input.headLength;
  for await (const segment of input.segments()) {
    if (segment.offset > next) yield new Uint32Array((segment.offset - next) / clusterSize);
    const counts = new Uint32Array(segment.length / clusterSize);
    place(shape, segment, (_unit, offset, size) => {
      const first = Math.floor((offset - segment.offset) / clusterSize);
      const last = Math.floor((offset - segment.offset + size - 1) / clusterSize);
      for (let cluster = first; cluster <= last; cluster += 1) counts[cluster] = (counts[cluster] ?? 0) + 1;
    });
    yield counts;
    next = segment.offset + segment.length;
  }
  if (input.dataEnd > next) yield new Uint32Array((input.dataEnd - next) / clusterSize);
}

interface UsedTables {
  /** One byte for each L1 entry. */
  readonly flags: Uint8Array;
  readonly count: number;
}

/** Also holds the segments to their contract, once for all walks. */
async function usedTables(shape: Shape, input: SealInput): Promise<UsedTables> {
  const flags = new Uint8Array(shape.l1Entries);
  const units = Math.ceil(shape.virtualSize / shape.clusterSize);
  let count = 0;
  let nextUnit = 0;
  let nextOffset = input.headLength;
  for await (const segment of input.segments()) {
    const aligned = segment.offset % shape.clusterSize === 0 && segment.length % shape.clusterSize === 0;
    if (!aligned || segment.firstUnit < nextUnit || segment.offset < nextOffset) {
      throw broken(`the segment at ${segment.offset} is not aligned or not in order`);
    }
    nextUnit = segment.firstUnit + segment.units.length;
    nextOffset = segment.offset + segment.length;
    place(shape, segment, (unit) => {
      if (unit >= units) throw broken(`unit ${unit} is behind the end of the disk`);
      const table = Math.floor(unit / shape.tableEntries);
      if (flags[table] === 0) count += 1;
      flags[table] = 1;
    });
  }
  if (nextOffset > input.dataEnd) throw broken(`the last segment ends at ${nextOffset}`);
  return { flags, count };
}

function* l1Table(shape: Shape, used: UsedTables, parts: HeadParts, first: number): Generator<Buffer> {
  const { clusterSize } = shape;
  let table = first;
  for (let index = 0; index < parts.l1; index += 1) {
    const bytes = Buffer.alloc(clusterSize);
    for (let at = 0; at < clusterSize; at += 8) {
      if (used.flags[(index * clusterSize + at) / 8] !== 1) continue;
      writeEntry(bytes, at, COPIED, table * clusterSize);
      table += 1;
    }
    yield bytes;
  }
}

async function* l2Tables(shape: Shape, input: SealInput): AsyncGenerator<Buffer> {
  const { clusterSize, tableEntries } = shape;
  // see the compressed cluster descriptor: the sector count begins at bit 62 - (cluster_bits - 8)
  const sectorsShift = 62 - (shape.clusterBits - 8) - 32;
  let current = -1;
  let bytes = Buffer.alloc(0);
  for await (const segment of input.segments()) {
    const full: Buffer[] = [];
    place(shape, segment, (unit, offset, size, kind) => {
      const table = Math.floor(unit / tableEntries);
      if (table !== current) {
        if (current >= 0) full.push(bytes);
        bytes = Buffer.alloc(clusterSize);
        current = table;
      }
      const at = (unit % tableEntries) * 8;
      if (kind === "plain") writeEntry(bytes, at, COPIED, offset);
      else writeEntry(bytes, at, COMPRESSED + (sectors(offset, size) - 1) * 2 ** sectorsShift, offset);
    });
    yield* full;
  }
  if (current >= 0) yield bytes;
}

/** Takes a unit and its place in the output. */
type Visit = (unit: number, offset: number, size: number, kind: "plain" | "coded") => void;

/**
 * Where each unit of a segment stands, in guest order: the rule by which the encoder has added them. Walks by index,
 * since an iterator's results are as much garbage as a large disk has tables.
 */
function place(shape: Shape, segment: StoredSegment, visit: Visit): void {
  const { clusterSize } = shape;
  const { units, places } = segment;
  let coded = 0;
  let plain = segment.length;
  for (let index = 0; index < units.length; index += 1) if (units[index] === PLAIN) plain -= clusterSize;
  const behindCoded = plain;
  for (let index = 0; index < units.length; index += 1) {
    const entry = units[index] ?? 0;
    if (entry === 0) continue;
    const unit = segment.firstUnit + index;
    const kind = entry === PLAIN ? "plain" : "coded";
    const size = kind === "plain" ? clusterSize : entry;
    const at = kind === "plain" ? plain : (places?.[index] ?? coded);
    const end = kind === "plain" ? segment.length : behindCoded;
    // the sector count of an L2 entry reaches to twice a cluster
    if (at < 0 || at + size > end || sectors(at, size) * SECTOR > 2 * clusterSize) {
      throw broken(`unit ${unit} does not fit the segment at ${segment.offset}`);
    }
    visit(unit, segment.offset + at, size, kind);
    if (kind === "plain") plain += size;
    else coded = at + size;
  }
}

/** Sectors that `size` bytes at `offset` touch. */
function sectors(offset: number, size: number): number {
  return Math.floor((offset + size - 1) / SECTOR) - Math.floor(offset / SECTOR) + 1;
}

/** Joins small buffers, so that small clusters do not make small writes. */
async function* chunks(parts: AsyncIterable<Buffer>): AsyncGenerator<Uint8Array> {
  let pending: Buffer[] = [];
  let length = 0;
  for await (const part of parts) {
    pending.push(part);
    length += part.length;
    if (length < CHUNK) continue;
    yield pending.length === 1 ? part : Buffer.concat(pending, length);
    pending = [];
    length = 0;
  }
  if (length > 0) yield Buffer.concat(pending, length);
}

function writeEntry(bytes: Buffer, at: number, flags: number, offset: number): void {
  bytes.writeUInt32BE(flags + Math.floor(offset / 2 ** 32), at);
  bytes.writeUInt32BE(offset % 2 ** 32, at + 4);
}

function writeWide(bytes: Buffer, value: number, at: number): void {
  writeEntry(bytes, at, 0, value);
}

function broken(what: string): Fault {
  return new Fault("INTERNAL", `qcow2: ${what}`);
}
