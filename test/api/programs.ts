/** Programs of others that speak to the endpoint: buf, curl, openssl. */
import { execFile, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TlsAddress } from "../../src/api/listen.ts";

const ROOT = join(import.meta.dirname, "../..");
const BUF = join(ROOT, "node_modules/.bin/buf");
export const PROTO = "src/api/connect/proto";

const runs = (program: string) => spawnSync(program, ["version"]).error === undefined;
export const CURL = runs("curl") ? "" : " (skipped: no curl)";
export const OPENSSL = runs("openssl") ? "" : " (skipped: no openssl)";
/** Its binary is in a package of its own, which not every platform has. */
export const BUF_MISSING =
  existsSync(BUF) && spawnSync(BUF, ["--version"]).status === 0 ? "" : " (skipped: no buf)";

export interface Ended {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end, in the root of the project; the test's own server goes on meanwhile. */
export function run(program: string, args: readonly string[]): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(program, [...args], { cwd: ROOT, timeout: 60_000 }, (error, stdout, stderr) => {
      resolve({ status: error === null ? 0 : Number(error.code ?? -1), stdout, stderr });
    });
  });
}

export const buf = (...args: readonly string[]): Promise<Ended> => run(process.execPath, [BUF, ...args]);

export interface Certificates extends AsyncDisposable {
  readonly directory: string;
  /** PEM texts by name, such as `server.key`. */
  readonly pem: Readonly<Record<string, string>>;
}

/** Where a server with these certificates listens. */
export function tlsAddress({ pem }: Certificates): TlsAddress {
  return {
    host: "127.0.0.1",
    port: 0,
    key: pem["server.key"] ?? "",
    certificate: pem["server.crt"] ?? "",
    clientAuthorities: pem["authority.crt"] ?? "",
  };
}

/** An authority with a server on loopback and a client, and a client that nobody has signed. */
export async function certificates(): Promise<Certificates> {
  const directory = await mkdtemp(join(tmpdir(), "api-"));
  const file = (name: string) => join(directory, name);
  const request = [
    "req",
    "-x509",
    "-newkey",
    "ec",
    "-pkeyopt",
    "ec_paramgen_curve:P-256",
    "-nodes",
    "-days",
    "2",
  ];
  const signed = ["-CA", file("authority.crt"), "-CAkey", file("authority.key")];
  const made = [
    ["authority", "/CN=authority", []],
    ["server", "/CN=localhost", [...signed, "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]],
    ["client", "/CN=ann-laptop", signed],
    ["stranger", "/CN=ann-laptop", []],
  ] as const;
  const pem: Record<string, string> = {};
  for (const [name, subject, more] of made) {
    const files = ["-keyout", file(`${name}.key`), "-out", file(`${name}.crt`)];
    const { status, stderr } = await run("openssl", [...request, "-subj", subject, ...files, ...more]);
    if (status !== 0) throw new Error(stderr);
    for (const end of ["key", "crt"]) pem[`${name}.${end}`] = await readFile(file(`${name}.${end}`), "utf8");
  }
  return { directory, pem, [Symbol.asyncDispose]: () => rm(directory, { recursive: true }) };
}
