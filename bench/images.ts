/** The disk images that are measured with: made once for each size, and kept. */
import { execFileSync } from "node:child_process";
import {
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { GiB, KiB, MiB, TiB } from "../src/bytes/units.ts";
import { isZero } from "../src/bytes/zero.ts";
import { type Program, programPath } from "./macro/programs.ts";

/** How many times the size of the others the large image has. */
export const LARGE_TIMES = 8;

/**
 * raw: an ext4 disk, filled with files of this machine. zlib, plain: the same as qcow2. large: that disk several
 * times in a row, as qcow2 with zlib. dense: the first GiB of the disk at most, without its zeros. empty-qcow2,
 * empty-raw: 8 TiB of nothing. mapped: 1 TiB of qcow2 whose clusters all have a place and no content.
 */
export type ImageName = "raw" | "zlib" | "plain" | "large" | "dense" | "empty-qcow2" | "empty-raw" | "mapped";

/** Folders whose files fill the disk, in turn until it is full. */
const FOLDERS = ["/usr/share", "/usr/lib", "/usr/bin"];
/** Of the disk; the rest is for the file system's own tables. */
const FILLED = 0.85;
/** mke2fs makes one inode for this many bytes. */
const BYTES_PER_INODE = 8 * KiB;

export class Images {
  readonly size: number;
  readonly #directory: string;

  /** `directory` is made if it is not there. `size`: of the disks, in bytes. */
  constructor(directory: string, size: number) {
    this.size = size;
    this.#directory = directory;
    mkdirSync(directory, { recursive: true });
  }

  /** Path of an image; it is made if it is not there yet. */
  get(name: ImageName): string {
    const path = join(this.#directory, name);
    if (existsSync(path)) return path;
    process.stderr.write(`making the image ${name}\n`);
    // What is only half made never stands under the name of an image.
    const making = `${path}.making`;
    rmSync(making, { force: true });
    this.#make(name, making);
    renameSync(making, path);
    return path;
  }

  #make(name: ImageName, path: string): void {
    RECIPES[name](path, this);
  }
}

type Recipe = (path: string, images: Images) => void;

const RECIPES: Readonly<Record<ImageName, Recipe>> = {
  raw: (path, { size }) => makeDisk(path, size),
  zlib: (path, images) => convert([images.get("raw")], path, "-c"),
  plain: (path, images) => convert([images.get("raw")], path),
  large: (path, images) => convert(Array<string>(LARGE_TIMES).fill(images.get("raw")), path, "-c"),
  dense: (path, images) => copyDense(images.get("raw"), path),
  "empty-qcow2": (path) => tool("qemu-img", "create", "-q", "-f", "qcow2", path, "8T"),
  "empty-raw"(path) {
    writeFileSync(path, "");
    truncateSync(path, 8 * TiB);
  },
  mapped: (path) =>
    tool("qemu-img", "create", "-q", "-f", "qcow2", "-o", "preallocation=metadata", path, "1T"),
};

function convert(inputs: readonly string[], path: string, ...options: string[]): void {
  tool("qemu-img", "convert", "-m", "16", "-W", "-f", "raw", "-O", "qcow2", ...options, ...inputs, path);
}

function tool(program: Program, ...args: string[]): void {
  execFileSync(programPath(program) ?? program, args, { stdio: ["ignore", "ignore", "inherit"] });
}

function makeDisk(path: string, size: number): void {
  const stage = `${path}.files`;
  rmSync(stage, { recursive: true, force: true });
  try {
    stageFiles(stage, size);
    tool("mke2fs", "-q", "-t", "ext4", "-i", `${BYTES_PER_INODE}`, "-d", stage, path, `${size / KiB}k`);
  } finally {
    rmSync(stage, { recursive: true, force: true });
  }
}

/** Copies files until they fill a disk of `size` bytes; where the machine has too few, it takes them once more. */
function stageFiles(stage: string, size: number): void {
  let bytes = size * FILLED;
  let inodes = (size / BYTES_PER_INODE) * FILLED;
  for (let round = 0; bytes > 0 && inodes > 0; round += 1) {
    const before = bytes;
    for (const [index, folder] of FOLDERS.entries()) {
      const into = join(stage, `${round}-${index}`);
      mkdirSync(into, { recursive: true });
      let share = bytes / (FOLDERS.length - index);
      const files = inodes / (FOLDERS.length - index);
      let number = 0;
      for (const file of filesIn(folder)) {
        const length = statSync(file).size;
        // One huge file would be the whole disk.
        if (length === 0 || length > Math.min(share, size / 8)) continue;
        const taken = Math.ceil(length / (4 * KiB)) * 4 * KiB;
        if (taken > share || number + 1 > files) break;
        copyFileSync(file, join(into, `${number}`));
        number += 1;
        share -= taken;
        bytes -= taken;
      }
      inodes -= number;
    }
    if (before - bytes < MiB) return;
  }
}

/** Plain files below a folder, without following links, in an order that does not change. */
function* filesIn(folder: string): Generator<string> {
  const entries = readdirSync(folder, { withFileTypes: true });
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* filesIn(path);
    else if (entry.isFile()) yield path;
  }
}

function copyDense(from: string, to: string): void {
  const [input, output] = [openSync(from, "r"), openSync(to, "wx")];
  const block = Buffer.alloc(64 * KiB);
  const end = Math.min(statSync(from).size, GiB);
  for (let at = 0; at < end; at += block.length) {
    const length = readSync(input, block, 0, block.length, at);
    if (!isZero(block.subarray(0, length))) writeSync(output, block, 0, length);
  }
  closeSync(input);
  closeSync(output);
}
