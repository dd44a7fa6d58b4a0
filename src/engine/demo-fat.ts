/**
 * A FAT16 file system, written in one go: every file and directory is one run of clusters, laid one after the other.
 * Source: Microsoft Extensible Firmware Initiative FAT32 File System Specification 1.03 (which describes FAT16, too).
 */
import { alignUp, SECTOR } from "../bytes/units.ts";
import { Fault } from "../fault/fault.ts";

export interface FatFile {
  /** Parts of the path, from the root. */
  readonly path: readonly string[];
  /** Bytes. */
  readonly size: number;
}

export interface FatVolume {
  /** What stands at which byte of the volume: boot sector, tables, directories. All else is zeros or file content. */
  readonly system: readonly { readonly offset: number; readonly bytes: Uint8Array }[];
  /** Byte offset of each file's content, in the order given. */
  readonly contents: readonly number[];
  /** Bytes of files and directories, clusters counted whole. */
  readonly used: number;
}

const CLUSTER = 8192;
const RESERVED_SECTORS = 1;
const ROOT_ENTRIES = 512;
const ENTRY = 32;
/** FAT16 has at least 4085 and less than 65525 clusters. */
const FEWEST = 4085;
const MOST = 65_524;
const FIRST_CLUSTER = 2;
const END_OF_CHAIN = 0xffff;
/** A fixed disk. */
const MEDIA = 0xf8;

const ATTRIBUTE = { label: 0x08, directory: 0x10, archive: 0x20, longName: 0x0f } as const;
/** 1980-01-01, the first day of FAT: no entry depends on the time of writing. */
const DATE = 0x0021;

interface Directory {
  readonly parent: Directory | undefined;
  readonly folders: Map<string, Directory>;
  readonly files: { readonly name: string; readonly index: number }[];
  /** First cluster; 0 for the root, as ".." has it. */
  cluster: number;
}

/**
 * Lays out a volume of `size` bytes that stands `hidden` bytes behind the start of its disk.
 * @throws Fault LIMIT_EXCEEDED when the files do not fit, or the size is none for FAT16.
 */
export function layOutFat(files: readonly FatFile[], size: number, hidden: number, label: string): FatVolume {
  const fatLength = alignUp((Math.ceil(size / CLUSTER) + FIRST_CLUSTER) * 2, SECTOR);
  const rootOffset = RESERVED_SECTORS * SECTOR + 2 * fatLength;
  const dataOffset = rootOffset + ROOT_ENTRIES * ENTRY;
  const clusters = Math.floor((size - dataOffset) / CLUSTER);
  if (clusters < FEWEST || clusters > MOST) {
    throw new Fault("LIMIT_EXCEEDED", `a FAT16 volume of ${size} bytes would have ${clusters} clusters`);
  }
  const root = treeOf(files);
  const fat = new Uint16Array(fatLength / 2);
  fat[0] = 0xff00 | MEDIA;
  fat[1] = END_OF_CHAIN;
  let next = FIRST_CLUSTER;
  const claim = (bytes: number): number => {
    const count = Math.ceil(bytes / CLUSTER);
    // An empty file has no cluster.
    if (count === 0) return 0;
    const first = next;
    if (first + count > clusters + FIRST_CLUSTER) {
      throw new Fault("LIMIT_EXCEEDED", `the files do not fit a volume of ${size} bytes`);
    }
    next += count;
    for (let cluster = first; cluster < next; cluster += 1)
      fat[cluster] = cluster + 1 < next ? cluster + 1 : END_OF_CHAIN;
    return first;
  };
  const offsetOf = (cluster: number): number => dataOffset + (cluster - FIRST_CLUSTER) * CLUSTER;

  const starts = files.map(() => 0);
  const directories = [...walk(root)];
  for (const directory of directories) {
    if (directory !== root) directory.cluster = claim(directoryLength(directory));
    for (const { index } of directory.files) starts[index] = claim(files[index]?.size ?? 0);
  }
  const system = directories.map((directory) => ({
    offset: directory === root ? rootOffset : offsetOf(directory.cluster),
    bytes: directoryBytes(directory, files, starts, directory === root ? label : undefined),
  }));
  if ((system[0]?.bytes.length ?? 0) > ROOT_ENTRIES * ENTRY) {
    throw new Fault("LIMIT_EXCEEDED", `the root of a FAT16 volume has ${ROOT_ENTRIES} entries at most`);
  }
  const table = littleEndian(fat);
  return {
    system: [
      { offset: 0, bytes: bootSector(size, hidden, fatLength, label) },
      { offset: RESERVED_SECTORS * SECTOR, bytes: table },
      { offset: RESERVED_SECTORS * SECTOR + fatLength, bytes: table },
      ...system,
    ],
    contents: starts.map(offsetOf),
    used: (next - FIRST_CLUSTER) * CLUSTER,
  };
}

/** Whether FAT takes the name as a long one, letter by letter. */
export function isFatName(name: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what FAT refuses
  return name.length <= 255 && !/[\u0000-\u001f"*/:<>?\\|]|[. ]$/.test(name);
}

function treeOf(files: readonly FatFile[]): Directory {
  const root: Directory = { parent: undefined, folders: new Map(), files: [], cluster: 0 };
  for (const [index, { path }] of files.entries()) {
    let at = root;
    for (const name of path.slice(0, -1)) {
      let folder = at.folders.get(name);
      if (folder === undefined) {
        folder = { parent: at, folders: new Map(), files: [], cluster: 0 };
        at.folders.set(name, folder);
      }
      at = folder;
    }
    at.files.push({ name: path.at(-1) ?? "", index });
  }
  return root;
}

/** The directory, then all below it. */
function* walk(directory: Directory): Generator<Directory> {
  yield directory;
  for (const folder of directory.folders.values()) yield* walk(folder);
}

function directoryLength({ folders, files }: Directory): number {
  let entries = 2;
  for (const name of folders.keys()) entries += entriesOf(name);
  for (const { name } of files) entries += entriesOf(name);
  return entries * ENTRY;
}

/** One short entry, and one long entry for each 13 letters. */
function entriesOf(name: string): number {
  return 1 + Math.ceil(name.length / 13);
}

function directoryBytes(
  directory: Directory,
  files: readonly FatFile[],
  starts: readonly number[],
  label: string | undefined,
): Uint8Array {
  const entries: Uint8Array[] = [];
  if (label !== undefined) entries.push(shortEntry(label.padEnd(11), ATTRIBUTE.label, 0, 0));
  else {
    entries.push(shortEntry(".".padEnd(11), ATTRIBUTE.directory, directory.cluster, 0));
    entries.push(shortEntry("..".padEnd(11), ATTRIBUTE.directory, directory.parent?.cluster ?? 0, 0));
  }
  let count = 0;
  const add = (name: string, attribute: number, cluster: number, size: number): void => {
    count += 1;
    // Short names only need to differ: who reads this volume reads the long ones.
    const short = String(count).padStart(8, "0").padEnd(11);
    entries.push(...longEntries(name, short), shortEntry(short, attribute, cluster, size));
  };
  for (const [name, folder] of directory.folders) add(name, ATTRIBUTE.directory, folder.cluster, 0);
  for (const { name, index } of directory.files)
    add(name, ATTRIBUTE.archive, starts[index] ?? 0, files[index]?.size ?? 0);
  return Buffer.concat(entries);
}

function shortEntry(name: string, attribute: number, cluster: number, size: number): Uint8Array {
  const entry = Buffer.alloc(ENTRY);
  entry.write(name, 0, 11, "latin1");
  entry[11] = attribute;
  entry.writeUInt16LE(DATE, 16);
  entry.writeUInt16LE(DATE, 18);
  entry.writeUInt16LE(DATE, 24);
  entry.writeUInt16LE(cluster, 26);
  entry.writeUInt32LE(size, 28);
  return entry;
}

/** The pieces of a long name stand before the short entry, the last piece first. */
function longEntries(name: string, short: string): Uint8Array[] {
  let checksum = 0;
  for (const byte of Buffer.from(short, "latin1"))
    checksum = (((checksum & 1) << 7) + (checksum >> 1) + byte) & 255;
  const pieces = Math.ceil(name.length / 13);
  // A zero ends the name; ones fill the rest.
  const padded = name.length % 13 === 0 ? name : `${name}\0`.padEnd(pieces * 13, "\uffff");
  return Array.from({ length: pieces }, (_, index) => {
    const number = pieces - index;
    const letters = Buffer.from(padded.slice((number - 1) * 13, number * 13), "utf16le");
    const entry = Buffer.alloc(ENTRY);
    entry[0] = number | (index === 0 ? 0x40 : 0);
    entry[11] = ATTRIBUTE.longName;
    entry[13] = checksum;
    letters.copy(entry, 1, 0, 10);
    letters.copy(entry, 14, 10, 22);
    letters.copy(entry, 28, 22, 26);
    return entry;
  });
}

function bootSector(size: number, hidden: number, fatLength: number, label: string): Uint8Array {
  const boot = Buffer.alloc(SECTOR);
  boot.set([0xeb, 0x3c, 0x90]);
  boot.write("DSKFERRY", 3, 8, "latin1");
  boot.writeUInt16LE(SECTOR, 11);
  boot[13] = CLUSTER / SECTOR;
  boot.writeUInt16LE(RESERVED_SECTORS, 14);
  boot[16] = 2;
  boot.writeUInt16LE(ROOT_ENTRIES, 17);
  boot[21] = MEDIA;
  boot.writeUInt16LE(fatLength / SECTOR, 22);
  boot.writeUInt16LE(63, 24);
  boot.writeUInt16LE(255, 26);
  boot.writeUInt32LE(hidden / SECTOR, 28);
  boot.writeUInt32LE(size / SECTOR, 32);
  boot[36] = 0x80;
  boot[38] = 0x29;
  boot.writeUInt32LE(0xd15c_fe44, 39);
  boot.write(label.padEnd(11), 43, 11, "latin1");
  boot.write("FAT16   ", 54, 8, "latin1");
  boot.writeUInt16LE(0xaa55, 510);
  return boot;
}

function littleEndian(words: Uint16Array): Uint8Array {
  const bytes = Buffer.alloc(words.length * 2);
  words.forEach((word, index) => {
    bytes.writeUInt16LE(word, index * 2);
  });
  return bytes;
}
