/** The real program as a child process, and what it says. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

const MAIN = fileURLToPath(new URL("../../src/main.ts", import.meta.url));

export interface Said {
  readonly event: string;
  readonly [field: string]: unknown;
}

export interface Ended {
  /** Exit status; null when it was killed. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly said: readonly Said[];
  readonly stderr: string;
}

export interface Running {
  readonly ended: Promise<Ended>;
  kill(signal: NodeJS.Signals): void;
}

export function start(args: readonly string[], environment: Readonly<Record<string, string>>): Running {
  const child = spawn(process.execPath, [MAIN, ...args], {
    env: { PATH: process.env["PATH"] ?? "", ...environment },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let out = "";
  let stderr = "";
  child.stdout.on("data", (bytes) => {
    out += bytes;
  });
  child.stderr.on("data", (bytes) => {
    stderr += bytes;
  });
  const ended = (async (): Promise<Ended> => {
    const [code, signal] = (await once(child, "close")) as [number | null, NodeJS.Signals | null];
    // A line that the kill cut short was not said.
    const lines = out.split("\n").slice(0, -1);
    return { code, signal, said: lines.map((line) => JSON.parse(line) as Said), stderr };
  })();
  return { ended, kill: (signal) => void child.kill(signal) };
}
