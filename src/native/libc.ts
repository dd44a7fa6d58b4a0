/** The few calls of the C library that Node lacks. Each is absent, not broken, where koffi cannot load. */
import { loadKoffi } from "./shared-library.ts";

export type Advice = "normal" | "random" | "sequential" | "willneed" | "dontneed" | "noreuse";

// linux/fadvise.h; the same numbers on x86-64 and arm64.
const ADVICE: Readonly<Record<Advice, number>> = {
  normal: 0,
  random: 1,
  sequential: 2,
  willneed: 3,
  dontneed: 4,
  noreuse: 5,
};
const SEEK_DATA = 3;
const SEEK_HOLE = 4;
const ENXIO = 6;
const FALLOC_FL_KEEP_SIZE = 1;
const FALLOC_FL_PUNCH_HOLE = 2;

interface Libc {
  readonly lseek: (fd: number, offset: number, whence: number) => number;
  readonly fadvise: (fd: number, offset: number, length: number, advice: number) => number;
  readonly fallocate: (fd: number, mode: number, offset: number, length: number) => number;
  readonly errno: () => number;
}

let loaded: Libc | "absent" | undefined;

function libc(): Libc | undefined {
  loaded ??= load();
  return loaded === "absent" ? undefined : loaded;
}

function load(): Libc | "absent" {
  // Other kernels number SEEK_DATA and the advices otherwise.
  if (process.platform !== "linux") return "absent";
  try {
    const koffi = loadKoffi();
    const library = koffi.load(null);
    return {
      lseek: library.func("int64_t lseek64(int fd, int64_t offset, int whence)") as Libc["lseek"],
      fadvise: library.func(
        "int posix_fadvise64(int fd, int64_t offset, int64_t length, int advice)",
      ) as Libc["fadvise"],
      fallocate: library.func(
        "int fallocate64(int fd, int mode, int64_t offset, int64_t length)",
      ) as Libc["fallocate"],
      errno: () => koffi.errno(),
    };
  } catch {
    return "absent";
  }
}

/**
 * The first byte at or behind `offset` that may be data. "none": only a hole follows. undefined: this machine or
 * file system cannot tell. Moves the descriptor's file position.
 */
export function seekData(fd: number, offset: number): number | "none" | undefined {
  return seek(fd, offset, SEEK_DATA);
}

/**
 * The first byte at or behind `offset` that lies in a hole; the end of the file counts as one. "none": `offset` is
 * past the end. undefined: this machine or file system cannot tell. Moves the descriptor's file position.
 */
export function seekHole(fd: number, offset: number): number | "none" | undefined {
  return seek(fd, offset, SEEK_HOLE);
}

function seek(fd: number, offset: number, whence: number): number | "none" | undefined {
  const calls = libc();
  if (calls === undefined) return undefined;
  const found = calls.lseek(fd, offset, whence);
  if (found >= 0) return found;
  return calls.errno() === ENXIO ? "none" : undefined;
}

/** Tells the kernel how a range will be used; `length` 0 means to the end. Whether it was told. */
export function fadvise(fd: number, offset: number, length: number, advice: Advice): boolean {
  return libc()?.fadvise(fd, offset, length, ADVICE[advice]) === 0;
}

/** Reserves blocks for a range without changing what it reads as or the file's size. Whether it was done. */
export function reserve(fd: number, offset: number, length: number): boolean {
  return libc()?.fallocate(fd, FALLOC_FL_KEEP_SIZE, offset, length) === 0;
}

/** Turns a range into a hole that reads as zeros, within the file's size. Whether it was done. */
export function punchHole(fd: number, offset: number, length: number): boolean {
  return libc()?.fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, length) === 0;
}

/** Whether these calls work here. The first question loads koffi. */
export function hasLibc(): boolean {
  return libc() !== undefined;
}
