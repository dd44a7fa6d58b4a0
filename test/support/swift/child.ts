/** Runs one of the Python servers beside this file until it is told to stop, or this process dies. */
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

export const PYTHON = "/usr/bin/python3";

export interface ServerChild {
  /** The line of JSON that the server printed when it was ready. */
  readonly ready: unknown;
  /** The server's private directory, removed by `stop`. */
  readonly root: string;
  stop(): Promise<void>;
}

/** @throws Error with the end of the server's log when it does not come up. */
export async function startServer(
  script: string,
  options: Readonly<Record<string, unknown>>,
  log: string,
): Promise<ServerChild> {
  const root = mkdtempSync(join(tmpdir(), "diskferry-server-"));
  const child = spawn(
    PYTHON,
    ["-B", join(import.meta.dirname, script), JSON.stringify({ ...options, root })],
    // The server ends when the pipe to its standard input closes, which the kernel does even if we are killed.
    { stdio: ["pipe", "pipe", "pipe"] },
  );
  let errors = "";
  child.stderr.on("data", (chunk: Buffer) => {
    errors = (errors + chunk.toString()).slice(-4000);
  });
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
  const stop = async () => {
    child.stdin.destroy();
    await ended;
    rmSync(root, { recursive: true, force: true });
  };
  const lines = createInterface({ input: child.stdout });
  const line = await Promise.race([
    new Promise<string>((resolve) => lines.once("line", resolve)),
    ended.then(() => undefined),
  ]);
  if (line === undefined) {
    const tail = `${errors}\n${readTail(join(root, log))}`;
    await stop();
    throw new Error(`${script} did not start:\n${tail}`);
  }
  return { ready: JSON.parse(line), root, stop };
}

function readTail(path: string): string {
  try {
    return readFileSync(path, "utf8").slice(-4000);
  } catch {
    return "";
  }
}
