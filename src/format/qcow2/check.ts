/** The walk over every table when an image is opened: after it, no entry can surprise a reader. */
import { KiB } from "../../bytes/units.ts";
import { Fault } from "../../fault/fault.ts";
import type { Source } from "../../source/source.ts";
import { checkExpansion, repeated } from "./amplification.ts";
import { ENTRY, type EntryReader } from "./entry.ts";
import type { Header, TablePlace } from "./header.ts";
import { HostClusters } from "./host-clusters.ts";
import { findRepeated, NearlyAscending } from "./repeated.ts";
import { readL2, tableSpan } from "./tables.ts";

export interface CheckInput {
  readonly source: Source;
  readonly header: Header;
  readonly entries: EntryReader;
  /** Offsets of the L2 tables of the disk that is opened, as `readL1` gives them. */
  readonly l1: Float64Array;
  readonly virtualSize: number;
  /** Ranges that hold metadata, besides the header and what the tables refer to. */
  readonly metadata: readonly { readonly name: string; readonly offset: number; readonly length: number }[];
  /** `allow`: one stream or L2 table may serve many places of the disk, and expansion has no cap. */
  readonly amplification: "refuse" | "allow";
}

export interface CheckResult {
  /** Guest clusters that are stored compressed. */
  readonly codedClusters: number;
  /** Guest clusters that are stored as they are, subclusters included. */
  readonly plainClusters: number;
}

/**
 * Every host cluster has one use: it holds metadata, or one plain guest cluster, or compressed streams. All of
 * them lie in the file, and no stream serves two guest clusters. Takes three bits of memory for each host cluster
 * and a few megabytes.
 * @throws Fault IMAGE_CORRUPT, IMAGE_TRUNCATED, AMPLIFICATION, LIMIT_EXCEEDED
 */
export async function checkTables(input: CheckInput, signal: AbortSignal): Promise<CheckResult> {
  const uses = new Uses(input);
  await takeRefcountBlocks(input, uses, signal);
  const walked = takeL2Tables(input, uses);

  const { header, entries, source } = input;
  const { clusterSize, entryBytes } = header;
  const span = tableSpan(header);
  let codedClusters = 0;
  let plainClusters = 0;
  const streams = new NearlyAscending();
  for await (const { index, view } of readL2(source, header, walked, 0, walked.length, signal)) {
    let guest = index * span;
    for (let at = 0; at < clusterSize && guest < input.virtualSize; at += entryBytes, guest += clusterSize) {
      const kind = entries.read(view, at, guest);
      const host = entries.host;
      if (kind === ENTRY.coded) {
        codedClusters += 1;
        streams.add(host);
        uses.takeCoded(host, entries.size, guest);
      } else if (kind === ENTRY.broken) {
        throw entries.fault(guest);
      } else if (host >= 0) {
        if (kind !== ENTRY.zero) plainClusters += 1;
        uses.takePlain(host, guest);
      }
    }
  }

  if (codedClusters > 0 && input.amplification === "refuse") {
    let twice: number | "none" | "unknown" | undefined = streams.finish();
    if (twice === "unknown") twice = await findRepeated((visit) => walkStreams(input, walked, visit, signal));
    if (typeof twice === "number") throw repeated(source.name, "compressed cluster", twice);
    checkExpansion(source.name, header.compression, clusterSize, codedClusters, uses.codedBytes);
  }
  return { codedClusters, plainClusters };
}

async function takeRefcountBlocks(input: CheckInput, uses: Uses, signal: AbortSignal): Promise<void> {
  const { source, header } = input;
  const table = header.refcountTable;
  const step = (256 * KiB) / 8;
  for (let first = 0; first < table.entries; first += step) {
    const part = Buffer.alloc(Math.min(step, table.entries - first) * 8);
    await source.read(part, table.offset + first * 8, signal);
    for (let at = 0; at < part.length; at += 8) {
      const low = part.readUInt32BE(at + 4);
      const offset = part.readUInt32BE(at) * 2 ** 32 + low;
      if (offset === 0) continue;
      const place = `${source.name}: refcount table entry ${first + at / 8}`;
      if ((low & (header.clusterSize - 1)) !== 0) {
        throw new Fault("IMAGE_CORRUPT", `${place} is ${offset}, not aligned to a cluster`);
      }
      if (offset + header.clusterSize > source.size) {
        throw new Fault("IMAGE_TRUNCATED", `${place} is ${offset}, the file ends at ${source.size}`);
      }
      uses.takeBlock(offset, `${place} is ${offset}`);
    }
  }
}

/** @returns the L1 table without the tables that were met before, which need no second walk */
function takeL2Tables(input: CheckInput, uses: Uses): Float64Array {
  let once = input.l1;
  for (let index = 0; index < input.l1.length; index += 1) {
    const offset = input.l1[index] ?? 0;
    if (offset === 0 || uses.takeL2(offset, index)) continue;
    if (input.amplification === "refuse") throw repeated(input.source.name, "L2 table", offset);
    if (once === input.l1) once = input.l1.slice();
    once[index] = 0;
  }
  return once;
}

async function walkStreams(
  input: CheckInput,
  l1: Float64Array,
  visit: (offset: number) => void,
  signal: AbortSignal,
): Promise<void> {
  const { header, entries, source } = input;
  const span = tableSpan(header);
  for await (const { index, view } of readL2(source, header, l1, 0, l1.length, signal)) {
    let guest = index * span;
    for (
      let at = 0;
      at < header.clusterSize && guest < input.virtualSize;
      at += header.entryBytes, guest += header.clusterSize
    ) {
      if (entries.read(view, at, guest) === ENTRY.coded) visit(entries.host);
    }
  }
}

/** Who uses which host cluster. */
class Uses {
  /** Clusters that hold compressed data, in bytes. */
  codedBytes = 0;

  readonly #input: CheckInput;
  readonly #clusterSize: number;
  /** Metadata and plain clusters. */
  readonly #taken: HostClusters;
  readonly #tables: HostClusters;
  #coded: HostClusters | undefined;
  readonly #ranges: { readonly name: string; readonly first: number; readonly end: number }[] = [];

  constructor(input: CheckInput) {
    const { header } = input;
    this.#input = input;
    this.#clusterSize = header.clusterSize;
    this.#taken = this.#newSet();
    this.#tables = this.#newSet();
    this.#takeRange("header", 0, 1);
    this.#takeRange("refcount table", header.refcountTable.offset, header.refcountTable.entries * 8);
    for (const range of input.metadata) this.#takeRange(range.name, range.offset, range.length);
  }

  takeBlock(offset: number, place: string): void {
    const cluster = offset / this.#clusterSize;
    if (!this.#taken.add(cluster)) throw this.#overlap(place, cluster);
  }

  /** @returns false when the same table was taken before */
  takeL2(offset: number, index: number): boolean {
    const cluster = offset / this.#clusterSize;
    if (this.#taken.add(cluster)) return this.#tables.add(cluster);
    if (this.#tables.has(cluster)) return false;
    throw this.#overlap(`${this.#input.source.name}: L1 entry ${index} is ${offset}`, cluster);
  }

  takePlain(host: number, guest: number): void {
    // with a data file, host and guest offsets are equal, which the entry reader has checked
    if (this.#input.header.storage === "data file") return;
    const cluster = host / this.#clusterSize;
    if (!this.#taken.add(cluster) || this.#coded?.has(cluster) === true)
      throw this.#entryOverlap(host, guest);
  }

  takeCoded(host: number, size: number, guest: number): void {
    this.#coded ??= this.#newSet();
    const end = host + size;
    for (
      let cluster = Math.floor(host / this.#clusterSize);
      cluster * this.#clusterSize < end;
      cluster += 1
    ) {
      if (this.#taken.has(cluster)) throw this.#entryOverlap(cluster * this.#clusterSize, guest);
      if (this.#coded.add(cluster)) this.codedBytes += this.#clusterSize;
    }
  }

  #newSet(): HostClusters {
    const { source, header } = this.#input;
    return new HostClusters(source.name, source.size, header.clusterSize);
  }

  #takeRange(name: string, offset: number, length: number): void {
    const range = {
      name,
      first: offset / this.#clusterSize,
      end: Math.ceil((offset + length) / this.#clusterSize),
    };
    for (let cluster = range.first; cluster < range.end; cluster += 1) {
      if (!this.#taken.add(cluster)) {
        throw this.#overlap(`${this.#input.source.name}: the ${name} at ${offset}`, cluster);
      }
    }
    this.#ranges.push(range);
  }

  #entryOverlap(host: number, guest: number): Fault {
    const place = `${this.#input.source.name}: the L2 entry of guest offset ${guest} refers to ${host}`;
    return this.#overlap(place, Math.floor(host / this.#clusterSize));
  }

  #overlap(place: string, cluster: number): Fault {
    const range = this.#ranges.find(({ first, end }) => cluster >= first && cluster < end);
    const other =
      range !== undefined
        ? `the ${range.name}`
        : this.#tables.has(cluster)
          ? "an L2 table"
          : "a refcount block or another guest cluster";
    return new Fault(
      "IMAGE_CORRUPT",
      `${place}, where ${other} stands already; run "qemu-img check" on a copy`,
    );
  }
}

/** The bytes of an L1 table as a metadata range. */
export function l1Range(name: string, place: TablePlace) {
  return { name, offset: place.offset, length: place.entries * 8 };
}
