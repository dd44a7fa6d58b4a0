/** The calls of the file system in two ways to wait. */
import {
  type BigIntStats,
  close,
  closeSync,
  constants,
  fstat,
  fstatSync,
  open,
  openSync,
  read,
  readSync,
} from "node:fs";
import { promisify } from "node:util";

/**
 * `blocking` is for a thread that has nothing else to do: it saves the way through the thread pool of libuv and back,
 * which costs more than the copy of a chunk that is in the page cache, and the pool's four threads are no limit. What
 * is not in the cache is asked for in time by `prefetch`.
 */
export type Waiting = "blocking" | "asynchronous";

export interface FileCalls {
  /** For reading. */
  open(path: string): Promise<number> | number;
  stat(fd: number): Promise<BigIntStats> | BigIntStats;
  /** Bytes read into `into` from its byte `at` on; 0 at the end of the file. */
  read(fd: number, into: Uint8Array, at: number, position: number): Promise<number> | number;
  close(fd: number): Promise<void> | void;
}

// Without O_NONBLOCK, opening a pipe would wait for somebody to write to it.
const FLAGS = constants.O_RDONLY | constants.O_NONBLOCK;

const openFd = promisify(open);
const closeFd = promisify(close);

export const FILE_CALLS: Readonly<Record<Waiting, FileCalls>> = {
  asynchronous: {
    open: (path) => openFd(path, FLAGS),
    stat: (fd) =>
      new Promise((done, fail) =>
        fstat(fd, { bigint: true }, (error, stats) => (error ? fail(error) : done(stats))),
      ),
    read: (fd, into, at, position) =>
      new Promise((done, fail) =>
        read(fd, into, at, into.length - at, position, (error, count) => (error ? fail(error) : done(count))),
      ),
    close: (fd) => closeFd(fd),
  },
  blocking: {
    open: (path) => openSync(path, FLAGS),
    stat: (fd) => fstatSync(fd, { bigint: true }),
    read: (fd, into, at, position) => readSync(fd, into, at, into.length - at, position),
    close: (fd) => closeSync(fd),
  },
};
