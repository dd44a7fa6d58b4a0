/** Whose a lock is: a process that has ended has none, whether its parent has heard of it or not. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { afterAll, afterEach, expect, test } from "vitest";
import { lock } from "../../src/transfer/journal-lock.ts";

const directory = mkdtempSync(join(tmpdir(), "diskferry-lock-"));
afterAll(() => rmSync(directory, { recursive: true }));
let parent: ChildProcess | undefined;
afterEach(() => parent?.kill("SIGKILL"));

/** State, and start time in ticks. */
function statOf(pid: number): readonly [state: string | undefined, started: string | undefined] {
  const text = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return [fields[0], fields[19]];
}

/** The lock of a process as that process would have made it. */
function lockOf(pid: number): string {
  const path = join(directory, `${pid}.lock`);
  symlinkSync(JSON.stringify({ pid, started: statOf(pid)[1] }), path);
  return path;
}

/** A process, and a child of it that has ended and that it never asks after. */
async function family(): Promise<{ readonly parent: number; readonly child: number }> {
  parent = spawn("sh", ["-c", "sleep 0 & echo $!; exec sleep 600"], { stdio: ["ignore", "pipe", "ignore"] });
  if (parent.stdout === null || parent.pid === undefined) throw new Error("sh does not start");
  const [line] = await once(parent.stdout, "data");
  const child = Number(line);
  while (statOf(child)[0] !== "Z") await setImmediate();
  return { parent: parent.pid, child };
}

test("the lock of a process that runs is respected", async () => {
  const { parent: pid } = await family();
  await expect(lock(lockOf(pid), "place")).rejects.toMatchObject({
    code: "USAGE",
    message: `place: process ${pid} is transferring to it now; wait for it, or end it`,
  });
});

test("the lock of a process that has ended is taken over, also while nobody has asked after it", async () => {
  const { child } = await family();
  const path = lockOf(child);
  const unlock = await lock(path, "place");
  await expect(lock(path, "place")).rejects.toMatchObject({
    message: expect.stringContaining(`${process.pid}`),
  });
  await unlock();
  expect(readdirSync(directory).filter((name) => name.startsWith(`${child}.`))).toEqual([]);
});

test("a process that was killed is waited for while a thread of it is still at work", async () => {
  const script = [
    "import ctypes, threading, time",
    "threading.Thread(target=time.sleep, args=(600,)).start()",
    "ctypes.CDLL(None).pthread_exit(None)",
  ].join("\n");
  parent = spawn("python3", ["-c", script], { stdio: "ignore" });
  const { pid } = parent;
  if (pid === undefined) throw new Error("python3 does not start");
  while (statOf(pid)[0] !== "Z") await setImmediate();
  const path = lockOf(pid);
  const taken = lock(path, "place");
  taken.catch(() => {});
  // By then whoever does not wait has given up.
  for (let turn = 0; turn < 200; turn += 1) await readFile("/proc/self/stat");
  parent.kill("SIGKILL");
  await (await taken)();
});
