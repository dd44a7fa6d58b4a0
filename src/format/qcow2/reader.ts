/** Opens qcow2 images: header, snapshots, references, tables; then answers where guest bytes come from. */
import { type Extent, mergeExtents, type Range } from "../../bytes/range.ts";
import { Fault } from "../../fault/fault.ts";
import type { Source } from "../../source/source.ts";
import type {
  Coding,
  FormatReader,
  Image,
  ImageReport,
  OpenRequest,
  Piece,
  ProbeInput,
  Reference,
} from "../format.ts";
import { type CheckResult, checkTables, l1Range } from "./check.ts";
import { EntryReader } from "./entry.ts";
import { CODEC, checkL1, type Header, MAGIC, readHeader } from "./header.ts";
import { ClusterMap } from "./map.ts";
import { findSnapshot, readSnapshots, type Snapshot, type SnapshotTable } from "./snapshots.ts";
import { readL1 } from "./tables.ts";

export const reader: FormatReader = { probe, open };

function probe({ head }: ProbeInput): "mine" | "not mine" {
  if (head.length < 4) return "not mine";
  return new DataView(head.buffer, head.byteOffset, 4).getUint32(0) === MAGIC ? "mine" : "not mine";
}

async function open(request: OpenRequest, signal: AbortSignal): Promise<Image> {
  const { source, gate } = request;
  const header = await readHeader(source, signal);
  const table = await readSnapshots(source, header, signal);
  const snapshot =
    request.snapshot === undefined ? undefined : findSnapshot(source, table.snapshots, request.snapshot);
  if (snapshot !== undefined) checkSnapshot(source, header, snapshot);

  await using opened = new AsyncDisposableStack();
  let dataFile: Source | undefined;
  if (header.dataFileName !== undefined) {
    const reference: Reference = { from: source.name, role: "data file", name: header.dataFileName };
    dataFile = opened.use(await gate.dataFile(reference, signal));
  }

  const virtualSize = snapshot?.virtualSize ?? header.virtualSize;
  const l1 = await readL1(source, header, snapshot?.l1 ?? header.l1, virtualSize, signal);
  const entries = new EntryReader(source.name, header, source.size, dataFile?.size);
  const checked = await checkTables(
    {
      source,
      header,
      entries,
      l1,
      virtualSize,
      metadata: [
        l1Range("L1 table", header.l1),
        ...(snapshot === undefined ? [] : [l1Range("L1 table of the snapshot", snapshot.l1)]),
        { name: "snapshot table", offset: header.snapshots.offset, length: table.length },
      ].filter(({ length }) => length > 0),
      amplification: request.allowAmplification ? "allow" : "refuse",
    },
    signal,
  );

  let backing: Image | undefined;
  if (header.backing !== undefined) {
    const reference: Reference = { from: source.name, role: "backing file", ...header.backing };
    backing = opened.use(await gate.backing(reference, signal));
  }
  return new QcowImage({
    source,
    header,
    dataFile,
    backing,
    virtualSize,
    map: new ClusterMap(source, header, l1, entries),
    report: reportOf(source, header, table, virtualSize, checked),
    references: opened.move(),
  });
}

function checkSnapshot(source: Source, header: Header, snapshot: Snapshot): void {
  const what = `L1 table of the snapshot ${JSON.stringify(snapshot.name)}`;
  if (header.storage === "data file") {
    throw new Fault("UNSUPPORTED_FEATURE", `${source.name}: snapshots cannot have a data file`);
  }
  if (snapshot.virtualSize > Number.MAX_SAFE_INTEGER) {
    throw new Fault(
      "LIMIT_EXCEEDED",
      `${source.name}: the ${what} maps ${snapshot.virtualSize} bytes, over 8 PiB`,
    );
  }
  checkL1(source.name, what, snapshot.l1, snapshot.virtualSize, header, source.size);
}

interface Parts {
  readonly source: Source;
  readonly header: Header;
  readonly dataFile: Source | undefined;
  readonly backing: Image | undefined;
  readonly virtualSize: number;
  readonly map: ClusterMap;
  readonly report: ImageReport;
  /** Data file and backing image, which the gate opened for this image alone. */
  readonly references: AsyncDisposableStack;
}

class QcowImage implements Image {
  readonly format = "qcow2";
  readonly virtualSize: number;
  readonly sources: readonly Source[];
  readonly unit: number;
  readonly codedUnit: number;
  readonly coding?: Coding;
  readonly order: "any" | "sequential";
  readonly #parts: Parts;
  /** Index in `sources` of plain clusters, and of the backing image's first source. */
  readonly #plain: number;
  readonly #below: number;

  constructor(parts: Parts) {
    const files = parts.dataFile === undefined ? [parts.source] : [parts.source, parts.dataFile];
    this.#parts = parts;
    this.#plain = files.length - 1;
    this.#below = files.length;
    this.sources = [...files, ...(parts.backing?.sources ?? [])];
    this.virtualSize = parts.virtualSize;
    this.unit = parts.header.clusterSize;
    this.codedUnit = Math.max(this.unit, parts.backing?.codedUnit ?? 0);
    this.order = parts.backing?.order ?? "any";
    const own = { codec: CODEC[parts.header.compression], unit: this.unit };
    const coding = parts.report.compression === "none" ? parts.backing?.coding : own;
    if (coding !== undefined) this.coding = coding;
  }

  extents(range: Range, signal: AbortSignal): AsyncIterable<Extent> {
    this.#checkRange(range);
    return mergeExtents(this.#extents(range, signal));
  }

  async *#extents(range: Range, signal: AbortSignal): AsyncGenerator<Extent> {
    let offset = range.offset;
    // one run of what the backing file says, so that it is asked once however many tables the run spans
    let below = 0;
    for await (const runs of this.#parts.map.runs(range, signal)) {
      let pending: Extent | undefined;
      for (const { kind, length } of runs) {
        if (kind === "below") {
          if (pending !== undefined) yield pending;
          pending = undefined;
          below += length;
          continue;
        }
        if (below > 0) {
          yield* this.#extentsBelow({ offset, length: below }, signal);
          offset += below;
          below = 0;
        }
        const sort = kind === "zero" ? "zero" : "data";
        if (pending?.kind === sort) pending = { ...pending, length: pending.length + length };
        else {
          if (pending !== undefined) yield pending;
          pending = { kind: sort, offset, length };
        }
        offset += length;
      }
      if (pending !== undefined) yield pending;
    }
    if (below > 0) yield* this.#extentsBelow({ offset, length: below }, signal);
  }

  async *#extentsBelow(range: Range, signal: AbortSignal): AsyncGenerator<Extent> {
    const { backing } = this.#parts;
    const inside = Math.max(0, Math.min(range.length, (backing?.virtualSize ?? 0) - range.offset));
    if (backing !== undefined && inside > 0) {
      yield* backing.extents({ offset: range.offset, length: inside }, signal);
    }
    yield { kind: "zero", offset: range.offset + inside, length: range.length - inside };
  }

  async pieces(range: Range, signal: AbortSignal): Promise<Piece[]> {
    this.#checkRange(range);
    const pieces: Piece[] = [];
    let offset = range.offset;
    for await (const runs of this.#parts.map.runs(range, signal)) {
      for (const run of runs) {
        if (run.kind === "below") {
          for (const piece of await this.#piecesBelow({ offset, length: run.length }, signal)) {
            addPiece(pieces, piece);
          }
        } else if (run.kind === "coded") {
          const codec = CODEC[this.#parts.header.compression];
          addPiece(pieces, { ...run, source: 0, codec, unit: this.unit });
        } else if (run.kind === "data") {
          addPiece(pieces, { ...run, source: this.#plain });
        } else {
          addPiece(pieces, { kind: "zero", length: run.length });
        }
        offset += run.length;
      }
    }
    return pieces;
  }

  async #piecesBelow(range: Range, signal: AbortSignal): Promise<Piece[]> {
    const { backing } = this.#parts;
    const inside = Math.max(0, Math.min(range.length, (backing?.virtualSize ?? 0) - range.offset));
    if (backing === undefined || inside === 0) return [{ kind: "zero", length: range.length }];
    const pieces: Piece[] = (await backing.pieces({ offset: range.offset, length: inside }, signal)).map(
      (piece) => (piece.kind === "zero" ? piece : { ...piece, source: piece.source + this.#below }),
    );
    return inside < range.length ? [...pieces, { kind: "zero", length: range.length - inside }] : pieces;
  }

  report(): ImageReport {
    return this.#parts.report;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#parts.references.disposeAsync();
  }

  #checkRange(range: Range): void {
    if (range.offset < 0 || range.length < 0 || range.offset + range.length > this.virtualSize) {
      throw new Fault(
        "INTERNAL",
        `${this.#parts.source.name}: ${range.length} bytes at ${range.offset} are not inside the disk of ${this.virtualSize}`,
      );
    }
  }
}

/** Adds a piece, as part of the last one where it continues it. */
function addPiece(pieces: Piece[], piece: Piece): void {
  const last = pieces.at(-1);
  if (last?.kind === "zero" && piece.kind === "zero") {
    pieces[pieces.length - 1] = { ...last, length: last.length + piece.length };
  } else if (
    last?.kind === "data" &&
    piece.kind === "data" &&
    last.source === piece.source &&
    last.offset + last.length === piece.offset
  ) {
    pieces[pieces.length - 1] = { ...last, length: last.length + piece.length };
  } else {
    pieces.push(piece);
  }
}

function reportOf(
  source: Source,
  header: Header,
  table: SnapshotTable,
  virtualSize: number,
  checked: CheckResult,
): ImageReport {
  const saved = table.snapshots.filter((snapshot) => snapshot.vmStateSize > 0);
  return {
    format: "qcow2",
    variant: `v${header.version}`,
    virtualSize,
    fileSize: source.size,
    unit: header.clusterSize,
    compression: checked.codedClusters === 0 ? "none" : header.compression,
    features: header.features,
    snapshots: table.snapshots.map(({ id, name, virtualSize }) => ({ id, name, virtualSize })),
    ...(header.backing === undefined ? {} : { backing: header.backing }),
    ...(header.dataFileName === undefined ? {} : { dataFile: header.dataFileName }),
    findings: [
      ...header.findings,
      ...(table.snapshots.length === 0
        ? []
        : [
            {
              name: "internal_snapshots",
              severity: "info" as const,
              message: `holds ${table.snapshots.length} snapshots; only the state that is asked for is read`,
            },
          ]),
      ...(saved.length === 0
        ? []
        : [
            {
              name: "vm_state_snapshot",
              severity: "info" as const,
              message: `${saved.length} snapshots hold machine state, which is not carried over`,
            },
          ]),
    ],
  };
}
