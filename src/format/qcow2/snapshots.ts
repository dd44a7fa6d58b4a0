/** The table of internal snapshots (qcow2 specification, "Snapshots"). */
import { alignUp, KiB, MiB } from "../../bytes/units.ts";
import { Fault } from "../../fault/fault.ts";
import type { Source } from "../../source/source.ts";
import { type Header, readWide, type TablePlace } from "./header.ts";

/** QEMU's limits: number of snapshots, bytes of the whole table, bytes of extra data of one entry. */
const MAX_SNAPSHOTS = 65536;
const MAX_TABLE_BYTES = 64 * MiB;
const MAX_EXTRA_BYTES = 1024;

const FIXED_BYTES = 40;
/** Longest entry: fixed part, extra data, id and name. */
const MAX_ENTRY_BYTES = alignUp(FIXED_BYTES + MAX_EXTRA_BYTES + 2 * 65535, 8);
const WINDOW = 512 * KiB;

export interface Snapshot {
  readonly id: string;
  readonly name: string;
  /** Unchecked until the snapshot is opened. */
  readonly l1: TablePlace;
  /** Bytes; the image's own size when the entry states none. */
  readonly virtualSize: number;
  /** Bytes of saved machine state, which lies behind the disk and is never read. */
  readonly vmStateSize: number;
}

export interface SnapshotTable {
  readonly snapshots: readonly Snapshot[];
  /** Bytes of the table in the file. */
  readonly length: number;
}

/** @throws Fault LIMIT_EXCEEDED, IMAGE_CORRUPT, IMAGE_TRUNCATED */
export async function readSnapshots(
  source: Source,
  header: Header,
  signal: AbortSignal,
): Promise<SnapshotTable> {
  const { offset, count } = header.snapshots;
  const { name } = source;
  if (count === 0) return { snapshots: [], length: 0 };
  if (count > MAX_SNAPSHOTS) {
    throw new Fault(
      "LIMIT_EXCEEDED",
      `${name}: nb_snapshots is ${count}, at most ${MAX_SNAPSHOTS} are allowed`,
    );
  }
  if (offset % header.clusterSize !== 0 || offset === 0) {
    throw new Fault(
      "IMAGE_CORRUPT",
      `${name}: the snapshot table at ${offset} is not at a cluster of its own`,
    );
  }
  const snapshots: Snapshot[] = [];
  let window: Buffer = Buffer.alloc(0);
  let at = 0;
  let length = 0;
  while (snapshots.length < count) {
    if (window.length - at < MAX_ENTRY_BYTES && offset + length + (window.length - at) < source.size) {
      window = Buffer.alloc(Math.min(WINDOW, source.size - offset - length));
      await source.read(window, offset + length, signal);
      at = 0;
    }
    const { snapshot, bytes } = parseEntry(source, header, window.subarray(at), offset + length);
    snapshots.push(snapshot);
    at += bytes;
    length += bytes;
    if (length > MAX_TABLE_BYTES) {
      throw new Fault("LIMIT_EXCEEDED", `${name}: the snapshot table has more than ${MAX_TABLE_BYTES} bytes`);
    }
  }
  return { snapshots, length };
}

function parseEntry(source: Source, header: Header, bytes: Buffer, place: number) {
  const { name } = source;
  const cut = () =>
    new Fault(
      "IMAGE_TRUNCATED",
      `${name}: ends at ${source.size}, inside the snapshot table entry at ${place}`,
    );
  if (bytes.length < FIXED_BYTES) throw cut();
  const idLength = bytes.readUInt16BE(12);
  const nameLength = bytes.readUInt16BE(14);
  const extra = bytes.readUInt32BE(36);
  if (extra > MAX_EXTRA_BYTES) {
    throw new Fault(
      "LIMIT_EXCEEDED",
      `${name}: the snapshot at ${place} has ${extra} bytes of extra data, at most ${MAX_EXTRA_BYTES} are allowed`,
    );
  }
  const idAt = FIXED_BYTES + extra;
  const end = idAt + idLength + nameLength;
  if (bytes.length < end) throw cut();
  const snapshot: Snapshot = {
    id: bytes.toString("utf8", idAt, idAt + idLength),
    name: bytes.toString("utf8", idAt + idLength, end),
    l1: { offset: readWide(bytes, 0), entries: bytes.readUInt32BE(8) },
    virtualSize: extra >= 16 ? readWide(bytes, 48) : header.virtualSize,
    vmStateSize: extra >= 8 ? readWide(bytes, 40) : bytes.readUInt32BE(32),
  };
  // the padding of the last entry may be cut by the end of the file
  return { snapshot, bytes: alignUp(end, 8) };
}

/** Looks an id up first, then a name, as qemu-img does. @throws Fault NOT_FOUND */
export function findSnapshot(source: Source, snapshots: readonly Snapshot[], wanted: string): Snapshot {
  const found =
    snapshots.find((snapshot) => snapshot.id === wanted) ??
    snapshots.find((snapshot) => snapshot.name === wanted);
  if (found !== undefined) return found;
  const known = snapshots.slice(0, 8).map((snapshot) => JSON.stringify(snapshot.name));
  throw new Fault(
    "NOT_FOUND",
    `${source.name}: has no snapshot ${JSON.stringify(wanted)}${known.length === 0 ? "" : `, but ${known.join(", ")}`}`,
  );
}
