/**
 * A directory on this host: a sparse file, written beside its final name and renamed when it is complete. Each upload
 * writes a file of its own, so that two at once into one name never mix.
 */
import { randomBytes } from "node:crypto";
import {
  type FileHandle,
  link,
  lstat,
  open,
  readdir,
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
import { alreadyExists } from "../already-exists.ts";
import type { Destination, Landed, Upload, UploadIntent, UploadToken } from "../store.ts";

/** The clock of the file system may lag behind that of the process. */
const UNHEARD_MS = 60_000;
/** Names the half-written file until it is renamed. */
const SUFFIX = ".diskferry-part";
const ID_BYTES = 4;

/** @throws Fault USAGE when the name is one of those that half-written files have. */
export async function openDirectory(path: string): Promise<Destination> {
  refusePartialName(path);
  // Two names of one directory are one place.
  const parent = await realpath(dirname(resolve(path))).catch(() => dirname(resolve(path)));
  const final = join(parent, basename(resolve(path)));
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
      const id = randomBytes(ID_BYTES).toString("hex");
      const inode = await makePartial(partialOf(final, id), path);
      return fileUpload(final, path, intent, { boot, inode, id });
    },
    async resume(token, intent) {
      await refuseExisting(final, path, intent);
      const partial = partialOf(final, String(token["id"]));
      const found = await stat(partial).catch((error: unknown) => {
        throw Fault.from(error, partial);
      });
      if (found.ino !== token["inode"]) throw new Fault("NOT_FOUND", `${partial}: is of another transfer`);
      // After a power loss the page cache is gone, and with it what the journal believes to be written.
      if (token["boot"] !== boot) {
        await rm(partial, { force: true });
        throw new Fault("NOT_FOUND", `${path}: the host was restarted since`);
      }
      return fileUpload(final, path, intent, token);
    },
    async landed(token) {
      const found = await stat(final).catch(() => undefined);
      if (found === undefined || found.ino !== token["inode"]) return undefined;
      await rm(partialOf(final, String(token["id"])), { force: true });
      return { name: path, size: found.size, confirmed: {} };
    },
    async discard(token) {
      for (const left of [partialOf(final, String(token["id"])), final]) {
        const found = await stat(left).catch(() => undefined);
        if (found?.ino === token["inode"]) await rm(left, { force: true });
      }
    },
    async removeOrphans() {
      for (const partial of await partialsOf(final)) await rm(partial, { force: true });
    },
    async removeUnheard(about) {
      for (const partial of await partialsOf(final)) {
        const found = await stat(partial).catch(() => undefined);
        const afterMs = (found?.birthtimeMs ?? 0) - about.getTime();
        // What has data was heard of: the token is noted before the first byte.
        const unheard = found?.size === 0 && afterMs >= -UNHEARD_MS && afterMs <= UNHEARD_MS;
        if (unheard) await rm(partial, { force: true });
      }
    },
    async remove() {
      const found = await lstat(final).catch((error: unknown) => {
        const fault = Fault.from(error, path);
        if (fault.code === "NOT_FOUND") return undefined;
        throw fault;
      });
      if (found === undefined) return "removed";
      if (!found.isFile()) return "not ours";
      try {
        await rm(final, { force: true });
        await syncPath(parent);
      } catch (error) {
        throw Fault.from(error, path);
      }
      return "removed";
    },
    source: async () => openFile(final),
    async [Symbol.asyncDispose]() {},
  };
}

/** Where an upload writes before its file gets its name. */
function partialOf(final: string, id: string): string {
  return join(dirname(final), `.${basename(final)}.${id}${SUFFIX}`);
}

/** Paths of the files that uploads to this name have begun. */
export async function partialsOf(final: string): Promise<readonly string[]> {
  const names = await readdir(dirname(final)).catch((error: unknown) => {
    const fault = Fault.from(error, dirname(final));
    if (fault.code === "NOT_FOUND") return [];
    throw fault;
  });
  return names.filter((name) => isPartialOf(basename(final), name)).map((name) => join(dirname(final), name));
}

/** Whether a file of this name is being written to become `object`. */
function isPartialOf(object: string, name: string): boolean {
  if (!name.startsWith(`.${object}.`) || !name.endsWith(SUFFIX)) return false;
  const id = name.slice(object.length + 2, -SUFFIX.length);
  return id.length === 2 * ID_BYTES && /^[0-9a-f]+$/.test(id);
}

/** @throws Fault USAGE */
export function refusePartialName(path: string): void {
  if (path.endsWith(SUFFIX)) {
    throw new Fault(
      "USAGE",
      `${path}: names that end in ${SUFFIX} are kept for files that are being written`,
    );
  }
}

function fileUpload(final: string, name: string, intent: UploadIntent, token: UploadToken): Upload {
  const partial = partialOf(final, String(token["id"]));
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

/** A new, empty file. */
async function makePartial(partial: string, name: string): Promise<number> {
  let file: FileHandle | undefined;
  try {
    file = await open(partial, "wx", 0o644);
    return (await file.stat()).ino;
  } catch (error) {
    const fault = Fault.from(error, name);
    if (fault.code !== "NOT_FOUND") throw fault;
    throw new Fault("NOT_FOUND", `${name}: ${await hindranceAt(dirname(partial))}`, { cause: error });
  } finally {
    await file?.close();
  }
}

/** Why no file could be made there. */
async function hindranceAt(directory: string): Promise<string> {
  const there = await stat(directory).catch(() => undefined);
  if (there === undefined) return `the directory ${directory} does not exist; make it first`;
  if (!there.isDirectory()) return `${directory} is not a directory; name another place`;
  return `the directory ${directory} takes no new files; name another place`;
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
