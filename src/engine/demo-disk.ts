/** A small real disk for the demonstration: a partition table and a FAT16 volume with files of this installation. */
import { type FileHandle, open, readdir, readFile, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { MiB, SECTOR } from "../bytes/units.ts";
import { Fault } from "../fault/fault.ts";
import { isFatName, layOutFat } from "./demo-fat.ts";

const DISK = 256 * MiB;
/** Where partitions begin since disks have sectors of 4 KiB. */
const PARTITION = MiB;
/** Bytes of files at most: enough to show a rate, little enough to be over soon. */
const CONTENT = 48 * MiB;
const LABEL = "DISKFERRY";

export interface DemoDisk {
  /** Bytes of the disk. */
  readonly size: number;
  readonly files: number;
  /** Bytes of their content. */
  readonly content: number;
}

interface Pick {
  readonly host: string;
  readonly path: readonly string[];
  readonly size: number;
}

/**
 * Writes the disk as a sparse raw file, which must not exist.
 * @param installation directory of the package; its dependencies are taken, too.
 */
export async function makeDemoDisk(
  path: string,
  installation: string,
  signal: AbortSignal,
): Promise<DemoDisk> {
  const picked = await pickFiles(installation, signal);
  const volume = layOutFat(picked, DISK - PARTITION, PARTITION, LABEL);
  await using file = await create(path);
  await file.truncate(DISK);
  await writeAt(file, partitionTable(), 0);
  for (const { offset, bytes } of volume.system) await writeAt(file, bytes, PARTITION + offset);
  for (const [index, { host, size }] of picked.entries()) {
    signal.throwIfAborted();
    // The disk is the original, not the file: one that grows meanwhile is cut, one that shrinks ends in zeros.
    const bytes = await readFile(host, { signal }).catch((error: unknown) => {
      if (signal.aborted || !isGone(error)) throw error;
      return new Uint8Array(0);
    });
    await writeAt(file, bytes.subarray(0, size), PARTITION + (volume.contents[index] ?? 0));
  }
  return { size: DISK, files: picked.length, content: picked.reduce((sum, { size }) => sum + size, 0) };
}

async function create(path: string): Promise<FileHandle> {
  try {
    return await open(path, "wx");
  } catch (error) {
    throw Fault.from(error, path);
  }
}

async function writeAt(file: FileHandle, bytes: Uint8Array, offset: number): Promise<void> {
  for (let at = 0; at < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, at, bytes.length - at, offset + at);
    at += bytesWritten;
  }
}

/** One partition over the whole disk. Source: UEFI specification 2.10, section 5.2.1 "Legacy Master Boot Record". */
function partitionTable(): Uint8Array {
  const sector = Buffer.alloc(SECTOR);
  const entry = 446;
  // Past what cylinders, heads and sectors can say: readers take the sector numbers.
  sector.set([0xfe, 0xff, 0xff], entry + 1);
  sector[entry + 4] = 0x0e;
  sector.set([0xfe, 0xff, 0xff], entry + 5);
  sector.writeUInt32LE(PARTITION / SECTOR, entry + 8);
  sector.writeUInt32LE((DISK - PARTITION) / SECTOR, entry + 12);
  sector.writeUInt16LE(0xaa55, 510);
  return sector;
}

/** Files of the installation in the order of their names, its own first, until the disk has enough. */
async function pickFiles(installation: string, signal: AbortSignal): Promise<Pick[]> {
  const picked: Pick[] = [];
  const spelled = new Map<string, string>();
  let content = 0;
  for (const [folder, host] of foldersOf(installation)) {
    for await (const below of filesBelow(host, [])) {
      signal.throwIfAborted();
      const path = [folder, ...below];
      if (!path.every(isFatName) || !isNew(path, spelled)) continue;
      const file = join(host, ...below);
      const size = await sizeOf(file);
      if (size === undefined || content + size > CONTENT) continue;
      content += size;
      picked.push({ host: file, path, size });
    }
  }
  return picked;
}

/** Bytes; undefined when the file is there no longer. */
async function sizeOf(file: string): Promise<number | undefined> {
  try {
    return (await stat(file)).size;
  } catch (error) {
    if (isGone(error)) return undefined;
    throw Fault.from(error, file);
  }
}

function isGone(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === "ENOENT";
}

/** FAT holds no two names that differ in case alone. */
function isNew(path: readonly string[], spelled: Map<string, string>): boolean {
  const prefixes = path.map((_, index) => path.slice(0, index + 1).join("/"));
  if (prefixes.some((prefix) => (spelled.get(prefix.toLowerCase()) ?? prefix) !== prefix)) return false;
  for (const prefix of prefixes) spelled.set(prefix.toLowerCase(), prefix);
  return true;
}

/** Name on the disk and directory on this host. Installed by npm, the dependencies stand beside the package. */
function foldersOf(installation: string): (readonly [string, string])[] {
  const beside = dirname(installation);
  return [
    ["dist", join(installation, "dist")],
    ["src", join(installation, "src")],
    ["node_modules", join(installation, "node_modules")],
    ...(basename(beside) === "node_modules" ? [["modules", beside] as const] : []),
  ];
}

/** Regular files only, as paths below `root`: a symbolic link would lead out, and caches are written by others. */
async function* filesBelow(root: string, path: readonly string[]): AsyncGenerator<readonly string[]> {
  const entries = await readdir(join(root, ...path), { withFileTypes: true }).catch(() => []);
  entries.sort((a, b) => (a.name < b.name ? -1 : 1));
  for (const entry of entries) {
    if (entry.name.startsWith(".")) continue;
    const below = [...path, entry.name];
    if (entry.isDirectory()) yield* filesBelow(root, below);
    else if (entry.isFile()) yield below;
  }
}
