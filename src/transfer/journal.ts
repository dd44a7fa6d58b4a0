/**
 * The journal of one transfer: which upload it fills and which segments it has landed. Lines of JSON, only ever
 * appended; a line cut short by a crash is the last one and does not count.
 */
import { createHash } from "node:crypto";
import { type FileHandle, open, readdir, readFile, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Fault } from "../fault/fault.ts";
import type { UnitTable } from "../format/format.ts";
import type { UploadToken } from "../store/store.ts";
import type { SegmentReceipt } from "./job.ts";
import type { JournaledSegment, JournalLine, PackedTable, SealedObject } from "./journal-line.ts";
import { lock } from "./journal-lock.ts";
import { makeDirectory, syncDirectory } from "./sync-directory.ts";
import { packTable, RecentTables, unpackTable } from "./unit-tables.ts";

export type { JournaledSegment } from "./journal-line.ts";

/** An earlier run that can be gone on with. */
export interface Unfinished {
  /** Digest of source version, destination, options and plan: all must be the same to go on. */
  readonly identity: string;
  readonly token: UploadToken;
  readonly segments: readonly JournaledSegment[];
  /** Every part has landed, and publishing was about to begin: it may have happened. */
  readonly sealed?: SealedObject;
}

export interface Journal extends AsyncDisposable {
  /** What the journal held when it was opened, until it is forgotten. */
  readonly unfinished: Unfinished | undefined;
  /** Nothing is to be gone on with. */
  forget(): Promise<void>;
  /** When a run that ended early was about to ask the store for an upload, of which nothing was heard. */
  readonly intended: Date | undefined;
  /** Forgets all; an upload is about to be asked for. Durable when it resolves. */
  intend(): Promise<void>;
  /** The upload that was intended has begun. Durable when it resolves. */
  begin(identity: string, token: UploadToken): Promise<void>;
  append(receipt: SegmentReceipt): Promise<void>;
  /** Every part has landed; publishing begins. */
  seal(object: SealedObject): Promise<void>;
  /** The unit table of a landed segment. */
  table(number: number): Promise<UnitTable>;
  /** The transfer is over: nothing to resume. */
  remove(): Promise<void>;
}

const ENDING = ".journal";
/** Where a line with a unit table stands in the file. */
interface Place {
  readonly offset: number;
  readonly length: number;
}

/**
 * Opens the journal of a destination, made when absent, and locks it against other processes.
 * @throws Fault USAGE when another process is at this destination now.
 */
export async function openJournal(directory: string, identity: string, name: string): Promise<Journal> {
  await makeDirectory(directory).catch((error: unknown) => {
    const { code, message } = Fault.from(error, `${directory}, the state directory`);
    throw new Fault(code, `${message}; name another one with XDG_STATE_HOME or stateDirectory`, {
      cause: error,
    });
  });
  const key = createHash("sha256").update(identity).digest("hex").slice(0, 32);
  const path = join(directory, `${key}${ENDING}`);
  const unlock = await lock(`${path}.lock`, name);
  try {
    const { unfinished, intended, places, end } = await load(path);
    const file = await open(path, "a+", 0o600);
    // A line cut short by a crash is dropped, so that the next one starts on a line of its own.
    if (end !== undefined) await file.truncate(end);
    return fileJournal(path, file, { unfinished, intended }, places, end ?? 0, unlock);
  } catch (error) {
    await unlock();
    throw Fault.from(error, path);
  }
}

/** Journals of a directory that tell of something, whatever their destinations are. */
export async function journalsIn(directory: string): Promise<readonly string[]> {
  const told: string[] = [];
  for (const name of await readdir(directory).catch(noneThere)) {
    if (name.endsWith(ENDING) && (await stat(join(directory, name))).size > 0) told.push(name);
  }
  return told;
}

function noneThere(error: NodeJS.ErrnoException): readonly string[] {
  if (error.code === "ENOENT") return [];
  throw error;
}

/** What an earlier run has left. */
interface Past {
  readonly unfinished: Unfinished | undefined;
  readonly intended: Date | undefined;
}

function fileJournal(
  path: string,
  file: FileHandle,
  { unfinished, intended }: Past,
  places: Map<number, Place>,
  start: number,
  unlock: () => Promise<void>,
): Journal {
  let end = start;
  let tail: Promise<unknown> = Promise.resolve();
  const recent = new RecentTables();
  const write = (line: JournalLine, number: number | undefined): Promise<void> => {
    const bytes = Buffer.from(`${JSON.stringify(line)}\n`);
    const offset = end;
    end += bytes.length;
    if (number !== undefined) places.set(number, { offset, length: bytes.length });
    const written = tail.then(() => file.appendFile(bytes));
    tail = written.catch(() => {});
    return written.catch((error: unknown) => {
      throw Fault.from(error, path);
    });
  };
  const empty = async (): Promise<void> => {
    await tail;
    await file.truncate(0);
    end = 0;
    places.clear();
    recent.clear();
  };
  let past: Past = { unfinished, intended };
  return {
    get intended() {
      return past.intended;
    },
    get unfinished() {
      return past.unfinished;
    },
    async forget() {
      past = { unfinished: undefined, intended: undefined };
      await empty();
    },
    async intend() {
      await empty();
      await write({ event: "intent", at: Date.now() }, undefined);
      await file.datasync();
      await syncDirectory(dirname(path));
    },
    async begin(identity, token) {
      await write({ event: "begin", version: 1, identity, token }, undefined);
      await file.datasync();
    },
    append(receipt) {
      const { table } = receipt;
      if (table !== undefined) recent.keep(receipt.number, table);
      return write(
        {
          event: "segment",
          receipt: kept(receipt),
          ...(table === undefined ? {} : { table: packTable(table) }),
        },
        table === undefined ? undefined : receipt.number,
      );
    },
    async seal(object) {
      await write({ event: "sealed", object }, undefined);
      await file.datasync();
    },
    async table(number) {
      const here = recent.get(number);
      if (here !== undefined) return here;
      const place = places.get(number);
      if (place === undefined) throw new Fault("INTERNAL", `${path}: has no unit table of part ${number}`);
      const bytes = Buffer.alloc(place.length);
      await file.read(bytes, 0, place.length, place.offset);
      const line = JSON.parse(bytes.toString()) as { table: PackedTable };
      return unpackTable(line.table);
    },
    async remove() {
      await tail;
      await rm(path, { force: true });
    },
    async [Symbol.asyncDispose]() {
      await tail;
      await file.close();
      // A transfer that was refused before it began leaves nothing to go on with.
      if (end === 0) await rm(path, { force: true });
      await unlock();
    },
  };
}

/** A journal that outlives nothing: for destinations that keep nothing. */
export function memoryJournal(): Journal {
  const tables = new Map<number, PackedTable>();
  return {
    unfinished: undefined,
    intended: undefined,
    forget: async () => {},
    intend: async () => {},
    async begin() {
      tables.clear();
    },
    async append(receipt) {
      if (receipt.table !== undefined) tables.set(receipt.number, packTable(receipt.table));
    },
    seal: async () => {},
    async table(number) {
      const table = tables.get(number);
      if (table === undefined) throw new Fault("INTERNAL", `there is no unit table of part ${number}`);
      return unpackTable(table);
    },
    remove: async () => {},
    async [Symbol.asyncDispose]() {},
  };
}

function kept(receipt: SegmentReceipt): JournaledSegment {
  const { number, length, etag, checksums, guest, zero, offset } = receipt;
  return {
    number,
    length,
    etag,
    checksums,
    ...(guest === undefined ? {} : { guest }),
    ...(zero === undefined ? {} : { zero }),
    ...(offset === undefined ? {} : { offset }),
  };
}

async function load(path: string): Promise<Past & { places: Map<number, Place>; end: number | undefined }> {
  const places = new Map<number, Place>();
  const text = await readFile(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  if (text === undefined) return { unfinished: undefined, intended: undefined, places, end: undefined };
  // Loaded by those alone who have a past.
  const { parseLine } = await import("./journal-line.ts");
  let intended: Date | undefined;
  let begun: { identity: string; token: UploadToken } | undefined;
  let sealed: SealedObject | undefined;
  const segments = new Map<number, JournaledSegment>();
  let offset = 0;
  for (;;) {
    const stop = text.indexOf(0x0a, offset);
    if (stop === -1) break;
    const line = parseLine(text.toString("utf8", offset, stop));
    // Nothing behind a line that cannot be believed counts.
    if (line === undefined) break;
    if (line.event === "begin") {
      begun = { identity: line.identity, token: line.token };
      intended = undefined;
    } else if (line.event === "intent") intended = new Date(line.at);
    else if (line.event === "sealed") sealed = line.object;
    else {
      segments.set(line.receipt.number, line.receipt);
      if (line.table !== undefined) places.set(line.receipt.number, { offset, length: stop + 1 - offset });
    }
    offset = stop + 1;
  }
  const unfinished =
    begun === undefined
      ? undefined
      : { ...begun, segments: [...segments.values()], ...(sealed === undefined ? {} : { sealed }) };
  return { unfinished, intended, places, end: offset };
}
