/** Starts the strict OSS server as a process, which lives as long as its handle and no longer than its parent. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { StrictOssOptions } from "./server.ts";

export interface SpawnedOss extends AsyncDisposable {
  readonly endpoint: string;
  readonly pid: number;
}

export async function spawnStrictOss(options: Omit<StrictOssOptions, "now"> = {}): Promise<SpawnedOss> {
  const script = fileURLToPath(new URL("serve.ts", import.meta.url));
  const child = spawn(process.execPath, [script, JSON.stringify(options)], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const lines = createInterface({ input: child.stdout });
  const failed = once(child, "exit").then(() => {
    throw new Error("the strict OSS server ended before it listened");
  });
  const [line] = (await Promise.race([once(lines, "line"), failed])) as [string];
  failed.catch(() => {});
  const { endpoint } = JSON.parse(line) as { endpoint: string };
  return {
    endpoint,
    pid: child.pid ?? 0,
    async [Symbol.asyncDispose]() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.stdin.end();
      await once(child, "exit");
    },
  };
}
