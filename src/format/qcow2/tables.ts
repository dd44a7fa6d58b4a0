/** L1 and L2 tables: read in bulk, held in little. */
import { KiB, MiB } from "../../bytes/units.ts";
import { Fault } from "../../fault/fault.ts";
import type { Source } from "../../source/source.ts";
import type { Header, TablePlace } from "./header.ts";

/** Bytes of tables read ahead in one go; at least one table. */
const BATCH_BYTES = 4 * MiB;
/** Reads in flight at once: hides the latency of a remote file whose tables lie apart. */
const BATCH_READS = 16;

/** One L2 table in memory. */
export interface L2Table {
  /** Index in the L1 table. */
  readonly index: number;
  /** Valid until the next table is asked for. */
  readonly view: DataView;
}

/** Guest bytes that one L2 table maps. */
export function tableSpan(header: Header): number {
  return (header.clusterSize / header.entryBytes) * header.clusterSize;
}

/**
 * Reads the part of an L1 table that maps `virtualSize` bytes.
 * @returns the offset of each L2 table, 0 where there is none
 * @throws Fault IMAGE_CORRUPT, IMAGE_TRUNCATED
 */
export async function readL1(
  source: Source,
  header: Header,
  place: TablePlace,
  virtualSize: number,
  signal: AbortSignal,
): Promise<Float64Array> {
  const count = Math.ceil(virtualSize / tableSpan(header));
  const offsets = new Float64Array(count);
  const step = (256 * KiB) / 8;
  for (let first = 0; first < count; first += step) {
    const part = Buffer.alloc(Math.min(step, count - first) * 8);
    await source.read(part, place.offset + first * 8, signal);
    for (let at = 0; at < part.length; at += 8) {
      offsets[first + at / 8] = l2Offset(source, header, part, at, first + at / 8);
    }
  }
  return offsets;
}

function l2Offset(source: Source, header: Header, part: Buffer, at: number, index: number): number {
  const high = part.readUInt32BE(at);
  const low = part.readUInt32BE(at + 4);
  const offset = (high & 0x00ffffff) * 2 ** 32 + low;
  const place = `${source.name}: L1 entry ${index}`;
  if ((high & 0x7f000000) !== 0 || (low & 0x1ff) !== 0) {
    throw new Fault("IMAGE_CORRUPT", `${place} has reserved bits set`);
  }
  if (offset % header.clusterSize !== 0) {
    throw new Fault("IMAGE_CORRUPT", `${place} is ${offset}, not aligned to a cluster`);
  }
  if (offset !== 0 && offset + header.clusterSize > source.size) {
    throw new Fault("IMAGE_TRUNCATED", `${place} is ${offset}, the file ends at ${source.size}`);
  }
  return offset;
}

/** The L2 tables that L1 entries `from` to `to` (not included) refer to, in order; absent ones are left out. */
export async function* readL2(
  source: Source,
  header: Header,
  l1: Float64Array,
  from: number,
  to: number,
  signal: AbortSignal,
): AsyncGenerator<L2Table> {
  const { clusterSize } = header;
  const most = Math.max(1, BATCH_BYTES / clusterSize);
  let memory: Buffer | undefined;
  let next = from;
  while (true) {
    signal.throwIfAborted();
    const batch = nextBatch(l1, next, to, clusterSize, most);
    next = batch.next;
    if (batch.indexes.length === 0) return;
    const room = batch.indexes.length * clusterSize;
    if (memory === undefined || memory.length < room) memory = Buffer.allocUnsafeSlow(room);
    const bytes = memory;
    await Promise.all(
      batch.runs.map((run) => source.read(bytes.subarray(run.at, run.at + run.length), run.offset, signal)),
    );
    for (const [position, index] of batch.indexes.entries()) {
      yield { index, view: new DataView(bytes.buffer, position * clusterSize, clusterSize) };
    }
  }
}

interface TableRun {
  /** Byte offset in the file. */
  readonly offset: number;
  /** Where the bytes go in the batch's memory. */
  readonly at: number;
  length: number;
}

/** Tables that stand one behind the other in the file become one read. */
function nextBatch(l1: Float64Array, from: number, to: number, clusterSize: number, most: number) {
  const indexes: number[] = [];
  const runs: TableRun[] = [];
  let next = from;
  for (; next < to && indexes.length < most; next += 1) {
    const offset = l1[next] ?? 0;
    if (offset === 0) continue;
    const last = runs.at(-1);
    if (last !== undefined && last.offset + last.length === offset) last.length += clusterSize;
    else if (runs.length === BATCH_READS) break;
    else runs.push({ offset, at: indexes.length * clusterSize, length: clusterSize });
    indexes.push(next);
  }
  return { indexes, runs, next };
}

/** A few L2 tables kept for ranges that are asked for one by one; the least recently used goes first. */
export class L2Cache {
  readonly #source: Source;
  readonly #clusterSize: number;
  readonly #most: number;
  readonly #tables = new Map<number, DataView>();

  /** Holds at most `bytes`, but two tables at least. */
  constructor(source: Source, clusterSize: number, bytes: number) {
    this.#source = source;
    this.#clusterSize = clusterSize;
    this.#most = Math.max(2, Math.floor(bytes / clusterSize));
  }

  async at(offset: number, signal: AbortSignal): Promise<DataView> {
    let table = this.#tables.get(offset);
    if (table === undefined) {
      const bytes = Buffer.allocUnsafeSlow(this.#clusterSize);
      await this.#source.read(bytes, offset, signal);
      table = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    }
    this.#tables.delete(offset);
    this.#tables.set(offset, table);
    if (this.#tables.size > this.#most) {
      for (const oldest of this.#tables.keys()) {
        this.#tables.delete(oldest);
        break;
      }
    }
    return table;
  }
}
