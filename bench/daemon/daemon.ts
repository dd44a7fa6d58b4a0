/** A daemon as it is published, with nothing to do but to accept: no region has slots for what is asked of it. */

import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { Pool } from "undici";
import { buildCheckout } from "../build.ts";

export interface MeasuredDaemon extends AsyncDisposable {
  readonly origin: string;
  /** Headers of a call in the name of the nth of the projects; the numbers begin anew behind the last. */
  headers(nth: number): Readonly<Record<string, string>>;
  /** One call over one of `pool`'s connections. @throws Error when it is refused. */
  call(pool: Pool, nth: number, method: string, body: unknown): Promise<unknown>;
  connect(connections: number): Pool;
  /** Seconds of processor time that the daemon has taken so far. */
  cpu(): number;
  /** Bytes: resident now, and the most there has been. */
  memory(): { readonly now: number; readonly most: number };
}

const CONFIG = (root: string): string => `stateDirectory: ${root}/state
listen: { cleartext: { port: 0 } }
regions:
  east: { imageStore: east, slots: { copy: 0, export: 0, import: 0 } }
destinations:
  east: { region: east, location: ${root}/east }
roots: { files: ${root}/files }
log: { file: ${root}/daemon.log }
callers:
  tokens:
${Array.from({ length: PROJECTS }, (_, nth) => callerLine(nth)).join("")}`;

/** Each has the images that its quota allows, and no more. */
const PROJECTS = 110;

const tokenOf = (nth: number): string => `token-of-project-${nth % PROJECTS}`;

function callerLine(nth: number): string {
  const sha256 = createHash("sha256").update(tokenOf(nth)).digest("hex");
  return `    - { name: caller-${nth}, project: project-${nth}, role: admin, sha256: ${sha256} }\n`;
}

export async function startDaemon(): Promise<MeasuredDaemon> {
  const root = mkdtempSync(join(tmpdir(), "diskferry-bench-daemon-"));
  for (const folder of ["east", "files"]) mkdirSync(join(root, folder));
  writeFileSync(join(root, "files", "disk.raw"), Buffer.alloc(4096));
  writeFileSync(join(root, "daemon.yaml"), CONFIG(root));
  const [program = "", ...args] = buildCheckout(join(root, "built"));
  const child = spawn(program, [...args, "serve", "--config", join(root, "daemon.yaml"), "--json"], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const origin = await ready(child);
  const headers = (nth: number) => ({
    authorization: `Bearer ${tokenOf(nth)}`,
    "content-type": "application/json",
  });
  return {
    origin,
    headers,
    connect: (connections) => new Pool(origin, { connections, pipelining: 1 }),
    async call(pool, nth, method, body) {
      const path = `/diskferry.v1.${method}`;
      const request = { method: "POST", path, headers: headers(nth), body: JSON.stringify(body) } as const;
      const reply = await pool.request(request);
      const answer = await reply.body.json();
      if (reply.statusCode !== 200) throw new Error(`${method}: ${JSON.stringify(answer)}`);
      return answer;
    },
    cpu() {
      // proc(5): utime and stime are the 14th and 15th field, in ticks, of which Linux counts 100 a second.
      const fields = readFileSync(`/proc/${child.pid}/stat`, "utf8")
        .replace(/^.*\) /, "")
        .split(" ");
      return (Number(fields[11]) + Number(fields[12])) / 100;
    },
    memory() {
      const status = readFileSync(`/proc/${child.pid}/status`, "utf8");
      const bytes = (key: string): number => Number(new RegExp(`${key}:\\s+(\\d+)`).exec(status)?.[1]) * 1024;
      return { now: bytes("VmRSS"), most: bytes("VmHWM") };
    },
    async [Symbol.asyncDispose]() {
      const ended = new Promise((resolve) => child.once("close", resolve));
      child.kill("SIGTERM");
      await ended;
      rmSync(root, { recursive: true });
    },
  };
}

/** @returns where it answers. */
async function ready({ stdout }: ChildProcess): Promise<string> {
  if (stdout === null) throw new Error("the daemon has no standard output");
  for await (const line of createInterface(stdout)) {
    const { event, urls } = JSON.parse(line) as { event: string; urls?: string[] };
    if (event === "ready") return urls?.[0] ?? "";
  }
  throw new Error("the daemon has ended");
}
