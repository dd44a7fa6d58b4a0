/**
 * A lock that names its owner, taken over when that process is gone. It is a symbolic link that leads nowhere: unlike a
 * file it comes into being with its content, so nobody ever finds a lock whose owner is not written yet.
 */
import { readFile, readlink, rename, rm, symlink } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { Fault } from "../fault/fault.ts";

/** How long a process that was killed may take to end: its last write may be on a slow disk. */
const ENDING_MS = 30_000;
const ENDING_POLL_MS = 50;

/**
 * Takes the lock at `path`. Waits for a process that is ending.
 * @returns what gives it back.
 * @throws Fault USAGE, naming `destination`, while the process that has it runs; TIMEOUT when it does not come to its end.
 */
export async function lock(path: string, destination: string): Promise<() => Promise<void>> {
  const { started } = await look(process.pid);
  const own = JSON.stringify({ pid: process.pid, started } satisfies Owner);
  const aside = `${path}.stale`;
  for (let attempt = 0; attempt < 3; attempt += 1) {
    try {
      await symlink(own, path);
      return async () => {
        await rm(path, { force: true });
        // What a process that was killed while it took a lock over has left.
        await rm(aside, { force: true });
      };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw Fault.from(error, path);
    }
    const text = await ownerAt(path);
    const owner = parseOwner(text);
    const running = owner === undefined ? undefined : await startOf(owner.pid, destination);
    if (running !== undefined && running === owner?.started) {
      throw new Fault(
        "USAGE",
        `${destination}: process ${owner.pid} is transferring to it now; wait for it, or end it`,
      );
    }
    await takeAway(path, aside, text);
  }
  throw new Fault("USAGE", `${destination}: another process took the journal's lock; try again`);
}

async function ownerAt(path: string): Promise<string> {
  return readlink(path).catch(() => "");
}

/** Removes the lock of a process that is gone, unless another has taken it over in the meantime. */
async function takeAway(path: string, aside: string, stale: string): Promise<void> {
  try {
    await rename(path, aside);
  } catch {
    return;
  }
  if ((await ownerAt(aside)) === stale) await rm(aside, { force: true });
  else await rename(aside, path).catch(() => {});
}

interface Owner {
  readonly pid: number;
  /** Start time in clock ticks since boot: tells a process from a later one with the same number. */
  readonly started: string | undefined;
}

/** Start time of a process, once it runs or has ended; undefined when it has. */
async function startOf(pid: number, destination: string): Promise<string | undefined> {
  const end = performance.now() + ENDING_MS;
  for (;;) {
    const { started, ending } = await look(pid);
    if (!ending) return started;
    if (performance.now() > end) {
      throw new Fault(
        "TIMEOUT",
        `${destination}: process ${pid} was killed, but has not ended yet; try again`,
      );
    }
    await sleep(ENDING_POLL_MS);
  }
}

// Fields of proc_pid_stat(5), counted from the one behind the name.
const STATE = 0;
const THREADS = 17;
const STARTED = 19;

/**
 * Without a start time when no such process runs. One that has ended is there until its parent asks after it: in a
 * container whose first process asks after none that is for good. While it has threads, one of them is still at work.
 */
async function look(
  pid: number,
): Promise<{ readonly started: string | undefined; readonly ending: boolean }> {
  const text = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const ended = fields[STATE] === "Z";
  return { started: ended ? undefined : fields[STARTED], ending: ended && Number(fields[THREADS]) > 1 };
}

function parseOwner(text: string): Owner | undefined {
  try {
    const value = JSON.parse(text) as { pid?: unknown; started?: unknown };
    if (typeof value.pid !== "number") return undefined;
    return { pid: value.pid, started: typeof value.started === "string" ? value.started : undefined };
  } catch {
    return undefined;
  }
}
