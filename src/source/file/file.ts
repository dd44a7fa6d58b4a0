/** A file or block device on this host. */
import { readFileSync, realpathSync } from "node:fs";
import { basename, resolve } from "node:path";
import { mergeExtents } from "../../bytes/range.ts";
import { SECTOR } from "../../bytes/units.ts";
import { Fault } from "../../fault/fault.ts";
import { fadvise } from "../../native/libc.ts";
import type { Source, SourceRecipe } from "../source.ts";
import { FILE_CALLS, type FileCalls, type Waiting } from "./calls.ts";
import { HoleMap } from "./holes.ts";

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
  const calls = FILE_CALLS[waiting];
  let fd: number | undefined;
  try {
    fd = await calls.open(absolute);
    const { size, version } = await identify(calls, fd, absolute, path);
    if (expected !== undefined && expected.version !== version) throw changed(path);
    return fileSource(fd, calls, { absolute, name: path, size, version });
  } catch (error) {
    if (fd !== undefined) await calls.close(fd);
    throw Fault.from(error, path);
  }
}

interface Pinned {
  readonly absolute: string;
  readonly name: string;
  readonly size: number;
  readonly version: string;
}

function fileSource(fd: number, calls: FileCalls, { absolute, name, size, version }: Pinned): Source {
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
        const count = await readSome(calls, fd, into, done, position + done, name);
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
      const now = await identify(calls, fd, absolute, name).catch(() => undefined);
      if (now?.version !== version) throw changed(name);
    },
    async [Symbol.asyncDispose]() {
      await calls.close(fd);
    },
  };
}

async function readSome(
  calls: FileCalls,
  fd: number,
  into: Uint8Array,
  at: number,
  position: number,
  name: string,
): Promise<number> {
  try {
    return await calls.read(fd, into, at, position);
  } catch (error) {
    throw Fault.from(error, `${name}: reading at ${position}`);
  }
}

async function identify(
  calls: FileCalls,
  fd: number,
  absolute: string,
  name: string,
): Promise<{ readonly size: number; readonly version: string }> {
  const stats = await calls.stat(fd);
  if (stats.isBlockDevice()) {
    const device = basename(realpathSync(absolute));
    const sectors = Number(readFileSync(`/sys/class/block/${device}/size`, "utf8").trim());
    const size = sectors * SECTOR;
    // A device has no modification time that means anything: whoever exports it must keep it still.
    return { size, version: `device-${stats.rdev}-${size}-${mediumOf(device)}` };
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

/**
 * The number of what is behind the name of a block device: another disk there has another one, until the host is
 * started again (Linux, Documentation/ABI/stable/sysfs-block, `diskseq`; since 5.15). A partition has that of its disk.
 */
function mediumOf(device: string): string {
  for (const folder of [device, `${device}/..`]) {
    try {
      return readFileSync(`/sys/class/block/${folder}/diskseq`, "utf8").trim();
    } catch {
      // Not there.
    }
  }
  return "unknown";
}

function changed(name: string): Fault {
  return new Fault("SOURCE_CHANGED", `${name}: changed while it was read; stop its writers and start again`);
}
