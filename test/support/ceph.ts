/** A real Ceph with its S3 gateway, on loopback, for as long as a test runs. */
import { type ChildProcess, execFile, spawn, spawnSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { promisify } from "node:util";
import { type CephLayout, cephConf, cephLayout, confPath, monitorAddress } from "./ceph/config.ts";

const PROGRAMS = [
  "ceph",
  "ceph-mon",
  "ceph-osd",
  "monmaptool",
  "radosgw",
  "radosgw-admin",
  "setpriv",
] as const;
const missing = PROGRAMS.filter((program) => spawnSync(program, ["--version"]).error !== undefined);
const root = process.getuid?.() === 0;

export const CEPH = missing.length === 0 && root;

/** Put into a suite's title, so that a skip says why. */
export const CEPH_REASON = CEPH
  ? ""
  : ` (skipped: ${missing.length > 0 ? `not installed: ${missing.join(", ")}` : "Ceph's daemons start only as root"})`;

export interface Ceph {
  /** Such as `http://127.0.0.1:34567`. */
  readonly endpoint: string;
  readonly accessKey: string;
  readonly secretKey: string;
  stop(): Promise<void>;
}

/** Ready in about two seconds; keeps everything in memory; ends with the process that started it. */
export async function startCeph(): Promise<Ceph> {
  const layout = cephLayout(
    mkdtempSync(join(tmpdir(), "diskferry-ceph-")),
    await freePort(),
    await freePort(),
  );
  const daemons: ChildProcess[] = [];
  const kill = () => {
    for (const daemon of daemons) daemon.kill("SIGKILL");
    rmSync(layout.root, { recursive: true, force: true });
  };
  process.once("exit", kill);
  const stop = async () => {
    process.off("exit", kill);
    const gone = daemons.map((daemon) =>
      daemon.exitCode !== null || daemon.signalCode !== null
        ? undefined
        : new Promise((resolve) => daemon.once("exit", resolve)),
    );
    for (const daemon of daemons) {
      daemon.ref();
      daemon.kill("SIGKILL");
    }
    await Promise.all(gone);
    rmSync(layout.root, { recursive: true, force: true });
  };
  try {
    const start = (program: string, ...args: string[]) => {
      daemons.push(startDaemon(layout, program, args));
    };
    mkdirSync(join(layout.root, "mon"));
    mkdirSync(join(layout.root, "osd"));
    writeFileSync(confPath(layout), cephConf(layout));
    const map = join(layout.root, "monmap");
    await run("monmaptool", "--create", "--fsid", layout.fsid, "--addv", "a", monitorAddress(layout), map);
    await run("ceph-mon", "-c", confPath(layout), "-i", "a", "--mkfs", "--monmap", map);
    start("ceph-mon", "-i", "a");
    const connect = ["-c", confPath(layout), "--connect-timeout", "30"];
    const osd = randomUUID();
    await run("ceph", ...connect, "osd", "new", osd, "0");
    await run("ceph-osd", "-c", confPath(layout), "-i", "0", "--mkfs", "--osd-uuid", osd);
    start("ceph-osd", "-i", "0");
    start("radosgw", "-n", "client.rgw");
    const endpoint = `http://127.0.0.1:${layout.gatewayPort}`;
    await answering(endpoint, daemons, layout);
    const [accessKey, secretKey] = ["diskferry-test", randomUUID()];
    const admin = ["-c", confPath(layout), "-n", "client.rgw", "user", "create", "--uid", "test"];
    await run(
      "radosgw-admin",
      ...admin,
      "--display-name",
      "test",
      "--access-key",
      accessKey,
      "--secret",
      secretKey,
    );
    return { endpoint, accessKey, secretKey, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function run(program: string, ...args: string[]): Promise<void> {
  await promisify(execFile)(program, args, { timeout: 60_000 });
}

/** `setpriv` has the kernel end the daemon when this process ends, however that happens. */
function startDaemon(layout: CephLayout, program: string, args: readonly string[]): ChildProcess {
  const command = ["--pdeathsig", "KILL", program, "-c", confPath(layout), "-f", ...args];
  const daemon = spawn("setpriv", command, { stdio: "ignore" });
  daemon.unref();
  return daemon;
}

async function answering(
  endpoint: string,
  daemons: readonly ChildProcess[],
  layout: CephLayout,
): Promise<void> {
  const until = Date.now() + 60_000;
  while (Date.now() < until) {
    if (daemons.some((daemon) => daemon.exitCode !== null)) break;
    const answered = await fetch(endpoint).then(
      (reply) => reply.ok,
      () => false,
    );
    if (answered) return;
    await wait(50);
  }
  const log = readFileSync(join(layout.root, "client.rgw.log"), "utf8").split("\n").slice(-15).join("\n");
  throw new Error(`the Ceph gateway did not start; the end of its log:\n${log}`);
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      const port = typeof address === "object" && address !== null ? address.port : 0;
      server.close(() => resolve(port));
    });
  });
}
