/** A file or block device on this host. */
import { type BigIntStats, close, constants, fstat, open, read, readSync } from "node:fs";
import { readFile, realpath } from "node:fs/promises";
import { basename, resolve } from "node:path";
import { promisify } from "node:util";
import { mergeExtents } from "../../bytes/range.ts";
import { SECTOR } from "../../bytes/units.ts";
import { Fault } from "../../fault/fault.ts";
import { fadvise } from "../../native/libc.ts";
import type { Source, SourceRecipe } from "../source.ts";
import { HoleMap } from "./holes.ts";

const openFd = promisify(open);
const closeFd = promisify(close);
const statFd = (fd: number): Promise<BigIntStats> =>
  new Promise((done, fail) =>
    fstat(fd, { bigint: true }, (error, stats) => (error ? fail(error) : done(stats))),
  );

/**
 * How a read waits. `blocking` is for a thread that has nothing else to do: it saves the way through the thread pool
 * of libuv and back, which costs more than the copy of a chunk that is in the page cache, and the pool's four threads
 * are no limit. What is not in the cache is asked for in time by `prefetch`.
 */
export type Waiting = "blocking" | "asynchronous";

/**
 * Opens a regular file or a block device for reading, pinned to its present size and modification time.
 * @throws Fault NOT_FOUND, PERMISSION, USAGE (a directory, a pipe), SOURCE_CHANGED when it is not `expected`.
 */
export async function openFile(
  path: string,
  expected?: { readonly version: string },
  waiting: Waiting = "asynchronous",
): Promise<Source> {
  const absolute = resolve(path);
  // Without O_NONBLOCK, opening a pipe would wait for somebody to write to it.
  const fd = await openFd(absolute, constants.O_RDONLY | constants.O_NONBLOCK).catch((error: unknown) => {
    throw Fault.from(error, path);
  });
  try {
    const { size, version } = await identify(fd, absolute, path);
    if (expected !== undefined && expected.version !== version) throw changed(path);
    return fileSource(fd, { absolute, name: path, size, version, waiting });
  } catch (error) {
    await closeFd(fd);
    throw Fault.from(error, path);
  }
}

interface Pinned {
  readonly absolute: string;
  readonly name: string;
  readonly size: number;
  readonly version: string;
  readonly waiting: Waiting;
}

function fileSource(fd: number, { absolute, name, size, version, waiting }: Pinned): Source {
  const holes = new HoleMap(fd);
  return {
    name,
    size,
    version,
    async read(into, position) {
      if (position < 0 || position + into.length > size) {
        throw new Fault(
          "IMAGE_TRUNCATED",
          `${name}: ends at ${size}, but ${into.length} bytes are needed at ${position}`,
          {
            details: { position, length: into.length, size },
          },
        );
      }
      for (let done = 0; done < into.length; ) {
        const count =
          waiting === "blocking"
            ? readNow(fd, into, done, position + done, name)
            : await readSome(fd, into, done, position + done, name);
        if (count === 0) throw changed(name);
        done += count;
      }
    },
    prefetch({ offset, length }) {
      fadvise(fd, offset, length, "willneed");
    },
    extents: (range) => mergeExtents(holes.extents(range)),
    async recipe(): Promise<SourceRecipe> {
      return { kind: "file", name, path: absolute, size, version };
    },
    async check() {
      const now = await identify(fd, absolute, name).catch(() => undefined);
      if (now?.version !== version) throw changed(name);
    },
    async [Symbol.asyncDispose]() {
      await closeFd(fd);
    },
  };
}

function readSome(
  fd: number,
  into: Uint8Array,
  offset: number,
  position: number,
  name: string,
): Promise<number> {
  return new Promise((done, fail) => {
    read(fd, into, offset, into.length - offset, position, (error, count) => {
      if (error) fail(Fault.from(error, `${name}: reading at ${position}`));
      else done(count);
    });
  });
}

function readNow(fd: number, into: Uint8Array, offset: number, position: number, name: string): number {
  try {
    return readSync(fd, into, offset, into.length - offset, position);
  } catch (error) {
    throw Fault.from(error, `${name}: reading at ${position}`);
  }
}

async function identify(
  fd: number,
  absolute: string,
  name: string,
): Promise<{ size: number; version: string }> {
  const stats = await statFd(fd);
  if (stats.isBlockDevice()) {
    const device = basename(await realpath(absolute));
    const sectors = Number((await readFile(`/sys/class/block/${device}/size`, "utf8")).trim());
    const size = sectors * SECTOR;
    // A device has no modification time that means anything: whoever exports it must keep it still.
    return { size, version: `device-${stats.rdev}-${size}` };
  }
  if (!stats.isFile()) {
    const kind = stats.isDirectory() ? "a directory" : "neither a file nor a block device";
    throw new Fault(
      "USAGE",
      `${name}: is ${kind}; name an image file or a block device, or - for standard input`,
    );
  }
  return {
    size: Number(stats.size),
    version: `file-${stats.dev}-${stats.ino}-${stats.mtimeNs}-${stats.size}`,
  };
}

function changed(name: string): Fault {
  return new Fault("SOURCE_CHANGED", `${name}: changed while it was read; stop its writers and start again`);
}
