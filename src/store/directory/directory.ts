/** A directory on this host: a sparse file, written beside its final name and renamed when it is complete. */
import {
  type FileHandle,
  link,
  open,
  readFile,
  realpath,
  rename,
  rm,
  stat,
  truncate,
} from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { GiB, MiB } from "../../bytes/units.ts";
import { Fault } from "../../fault/fault.ts";
import { openFile } from "../../source/file/file.ts";
import type { Destination, Landed, Upload, UploadIntent, UploadToken } from "../store.ts";

/** The clock of the file system may lag behind that of the process. */
const UNHEARD_MS = 60_000;
/** Names the half-written file until it is renamed. */
const SUFFIX = ".diskferry-part";

export async function openDirectory(path: string): Promise<Destination> {
  // Two names of one directory are one place.
  const parent = await realpath(dirname(resolve(path))).catch(() => dirname(resolve(path)));
  const final = join(parent, basename(resolve(path)));
  const partial = partialOf(final);
  const boot = await bootId();
  return {
    name: path,
    identity: final,
    limits: {
      minPart: 1,
      maxPart: 1024 * GiB,
      maxParts: 1_000_000,
      preferredPart: 64 * MiB,
      placement: "offsets",
      reach: "local",
      zeros: "free",
      // Shorter holes are found while writing; each would cost a slot of the plan.
      zeroPart: MiB,
      receipts: "lasting",
      checksums: [],
    },
    async begin(intent) {
      await refuseExisting(final, path, intent);
      const inode = await makePartial(partial, path);
      return fileUpload(final, partial, path, intent, { boot, inode });
    },
    async resume(token, intent) {
      await refuseExisting(final, path, intent);
      // After a power loss the page cache is gone, and with it what the journal believes to be written.
      if (token["boot"] !== boot) throw new Fault("NOT_FOUND", `${path}: the host was restarted since`);
      const found = await stat(partial).catch((error: unknown) => {
        throw Fault.from(error, partial);
      });
      if (found.ino !== token["inode"]) throw new Fault("NOT_FOUND", `${partial}: is of another transfer`);
      return fileUpload(final, partial, path, intent, token);
    },
    async landed(token) {
      const found = await stat(final).catch(() => undefined);
      if (found === undefined || found.ino !== token["inode"]) return undefined;
      await rm(partial, { force: true });
      return { name: path, size: found.size, confirmed: {} };
    },
    async discard(token) {
      for (const left of [partial, final]) {
        const found = await stat(left).catch(() => undefined);
        if (found?.ino === token["inode"]) await rm(left, { force: true });
      }
    },
    removeOrphans: () => rm(partial, { force: true }),
    async removeUnheard(about) {
      const found = await stat(partial).catch(() => undefined);
      const afterMs = (found?.birthtimeMs ?? 0) - about.getTime();
      if (afterMs >= -UNHEARD_MS && afterMs <= UNHEARD_MS) await rm(partial, { force: true });
    },
    source: async () => openFile(final),
    async [Symbol.asyncDispose]() {},
  };
}

/** Where a file is written before it gets its name. */
export function partialOf(final: string): string {
  return join(dirname(final), `.${basename(final)}${SUFFIX}`);
}

function fileUpload(
  final: string,
  partial: string,
  name: string,
  intent: UploadIntent,
  token: UploadToken,
): Upload {
  return {
    token,
    besides: 0,
    target: async () => ({ kind: "file", path: partial, name }),
    zeros: async ({ number, length, offset }) => ({
      number,
      length,
      offset,
      etag: "",
      checksums: {},
      zero: true,
    }),
    async *held() {},
    async complete(parts): Promise<Landed> {
      const size = parts.reduce((end, part) => Math.max(end, (part.offset ?? 0) + part.length), 0);
      try {
        await truncate(partial, size);
        await syncPath(partial);
        await publish(partial, final, name, intent);
        await syncPath(dirname(final));
      } catch (error) {
        throw Fault.from(error, name);
      }
      return { name, size, confirmed: {} };
    },
    abort: async () => rm(partial, { force: true }),
    refresh: async () => {},
  };
}

/** A new, empty file; what stood there is an orphan. */
async function makePartial(partial: string, name: string): Promise<number> {
  let file: FileHandle | undefined;
  try {
    await rm(partial, { force: true });
    file = await open(partial, "wx", 0o644);
    return (await file.stat()).ino;
  } catch (error) {
    const fault = Fault.from(error, name);
    if (fault.code !== "NOT_FOUND") throw fault;
    throw new Fault("NOT_FOUND", `${name}: the directory ${dirname(partial)} does not exist`, {
      cause: error,
    });
  } finally {
    await file?.close();
  }
}

async function refuseExisting(final: string, name: string, intent: UploadIntent): Promise<void> {
  const existing = await stat(final).catch(() => undefined);
  if (existing === undefined) return;
  if (!existing.isFile()) throw new Fault("USAGE", `${name}: exists and is not a regular file`);
  if (intent.existing === "refuse") throw alreadyExists(name);
}

/** `link` fails where the name is taken, also when another process took it a moment ago; `rename` would replace. */
async function publish(partial: string, final: string, name: string, intent: UploadIntent): Promise<void> {
  if (intent.existing === "replace") return rename(partial, final);
  await link(partial, final).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "EEXIST") throw alreadyExists(name);
    // File systems without hard links.
    if (error.code === "EPERM" || error.code === "ENOTSUP" || error.code === "EOPNOTSUPP")
      return rename(partial, final);
    throw error;
  });
  await rm(partial, { force: true });
}

function alreadyExists(name: string): Fault {
  return new Fault(
    "ALREADY_EXISTS",
    `${name}: exists already; choose another name, or replace it with --overwrite`,
  );
}

async function syncPath(path: string): Promise<void> {
  const handle = await open(path, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function bootId(): Promise<string> {
  return (await readFile("/proc/sys/kernel/random/boot_id", "utf8").catch(() => "unknown")).trim();
}
