/** Runs a process to its end and accounts for it: wall time, CPU time and peak memory. */
import { spawn, spawnSync } from "node:child_process";
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";

/** Seconds, and bytes of the largest resident set of one process. */
export interface Usage {
  readonly wall: number;
  /** User and system time of the process and of those that it waited for. */
  readonly cpu: number;
  readonly rss: number;
}

const GNU_TIME = "/usr/bin/time";

/**
 * `time`: GNU time. `rusage`: a process of ours that waits in its place, where GNU time is not installed; no resident
 * set is then seen smaller than that process itself.
 */
export const ACCOUNTING =
  spawnSync(GNU_TIME, ["-f", "%M", "true"], { stdio: "ignore" }).status === 0 ? "time" : "rusage";

/** @throws Error with the end of what the program wrote, when it fails. */
export async function measure(
  command: readonly string[],
  env: NodeJS.ProcessEnv,
  scratch: string,
  signal: AbortSignal,
): Promise<{ readonly usage: Usage; readonly stdout: string }> {
  const account = join(scratch, "account");
  rmSync(account, { force: true });
  const wrapper =
    ACCOUNTING === "time"
      ? [GNU_TIME, "-q", "-f", "%U %S %M", "-o", account]
      : [process.execPath, join(import.meta.dirname, "account.ts"), account];
  const started = performance.now();
  const { status, stdout, stderr } = await run([...wrapper, ...command], env, signal);
  const wall = (performance.now() - started) / 1000;
  if (status !== 0) {
    const said = (stderr.trim() || stdout.trim()).slice(-1000);
    throw new Error(`${command.join(" ")}: exit status ${status}\n${said}`);
  }
  const [user = 0, system = 0, kib = 0] = readFileSync(account, "utf8").trim().split(" ").map(Number);
  return { usage: { wall, cpu: user + system, rss: kib * 1024 }, stdout };
}

interface Ended {
  readonly status: number | NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

function run(command: readonly string[], env: NodeJS.ProcessEnv, signal: AbortSignal): Promise<Ended> {
  signal.throwIfAborted();
  const [program = "", ...args] = command;
  return new Promise((resolve, reject) => {
    // A group of its own, so that an end reaches the program behind the one that measures.
    const child = spawn(program, args, { env, detached: true, stdio: ["ignore", "pipe", "pipe"] });
    const end = () => {
      if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
    };
    const texts = { stdout: "", stderr: "" };
    for (const name of ["stdout", "stderr"] as const) {
      child[name].setEncoding("utf8").on("data", (text: string) => {
        texts[name] = (texts[name] + text).slice(-65536);
      });
    }
    signal.addEventListener("abort", end);
    child.once("error", reject);
    child.once("close", (code, ended) => {
      signal.removeEventListener("abort", end);
      if (signal.aborted) reject(signal.reason);
      else resolve({ status: code ?? ended, ...texts });
    });
  });
}
