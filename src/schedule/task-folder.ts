/** The folder of a task in the state directory: where it puts things, and the journals of its transfers. */
import { open, readdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { Fault } from "../fault/fault.ts";
import { makeDirectory, syncDirectory } from "../transfer/sync-directory.ts";

/** An object that a task makes. */
export interface Target {
  /** Name of a destination of the catalogue. */
  readonly destination: string;
  readonly object: string;
}

/** Whoever cleans up needs no more than the folder: the task itself may be forgotten by then. */
const TARGETS = "targets.json";
/** Ids that are names of folders, and lead nowhere else. */
const SAFE = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;

export function folderOf(stateDirectory: string, task: string): string {
  if (!SAFE.test(task)) throw new Fault("INTERNAL", `task ${JSON.stringify(task)}: its id names no folder`);
  return join(stateDirectory, task);
}

/** Makes the folder. Durable when it resolves. */
export async function writeTargets(folder: string, targets: readonly Target[]): Promise<void> {
  try {
    await makeDirectory(folder);
    const fresh = join(folder, `${TARGETS}.new`);
    await using file = await open(fresh, "w", 0o600);
    await file.writeFile(JSON.stringify(targets));
    await file.datasync();
    await rename(fresh, join(folder, TARGETS));
    await syncDirectory(folder);
  } catch (error) {
    throw Fault.from(error, folder);
  }
}

/** None when no run of the task has come so far as to put anything anywhere. */
export async function readTargets(folder: string): Promise<readonly Target[]> {
  const text = await readFile(join(folder, TARGETS), "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return "[]";
    throw Fault.from(error, folder);
  });
  return JSON.parse(text) as Target[];
}

export async function removeFolder(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true });
}

/** Ids of the tasks that have a folder. */
export async function tasksWithFolder(stateDirectory: string): Promise<readonly string[]> {
  const entries = await readdir(stateDirectory, { withFileTypes: true }).catch((error: unknown) => {
    const fault = Fault.from(error, stateDirectory);
    if (fault.code === "NOT_FOUND") return [];
    throw fault;
  });
  return entries.filter((entry) => entry.isDirectory() && SAFE.test(entry.name)).map(({ name }) => name);
}
