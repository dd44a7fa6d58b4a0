/** How the command line reaches a daemon: what was said, else what a daemon of this user has left in a file. */
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Fault } from "../fault/fault.ts";
import type { Environment } from "./settings.ts";
import { stateDirectory } from "./settings.ts";

export interface AccessOptions {
  readonly server?: string;
  readonly token?: string;
  /** Paths. */
  readonly tokenFile?: string;
  readonly ca?: string;
  readonly certificate?: string;
  readonly key?: string;
}

/** How a daemon is reached. Nothing of it is ever shown. */
export interface Access {
  readonly server: string;
  readonly token?: string;
  /** PEM. */
  readonly ca?: string;
  readonly certificate?: string;
  readonly key?: string;
}

/** What a daemon leaves for whoever may read its state directory. */
export interface LeftAccess {
  readonly server: string;
  readonly token: string;
}

export const DEFAULT_SERVER = "http://127.0.0.1:7411";

export function accessFile(daemonDirectory: string): string {
  return join(daemonDirectory, "access.json");
}

/** @throws Fault USAGE, NOT_FOUND, PERMISSION: never with the token. */
export async function readAccess(options: AccessOptions, env: Environment): Promise<Access> {
  const { certificate, key } = options;
  if ((certificate === undefined) !== (key === undefined)) {
    throw new Fault("USAGE", "--certificate and --key belong together");
  }
  const said = options.server ?? env["DISKFERRY_SERVER"];
  const left = await readLeftAccess(accessFile(join(stateDirectory({ stores: {} }, env), "daemon")));
  const server = said ?? left?.server ?? DEFAULT_SERVER;
  if (!/^https?:\/\//.test(server) || !URL.canParse(server)) {
    throw new Fault("USAGE", "the server is an http or https URL, such as http://127.0.0.1:7411");
  }
  const token = (await saidToken(options, env)) ?? (left?.server === server ? left.token : undefined);
  if (token !== undefined && !/^[\x21-\x7e]+$/.test(token)) {
    throw new Fault("USAGE", "the token holds what no token can hold: look at where it comes from");
  }
  return {
    server,
    ...(token === undefined ? {} : { token }),
    ...(options.ca === undefined ? {} : { ca: await readText(options.ca) }),
    ...(certificate === undefined ? {} : { certificate: await readText(certificate) }),
    ...(key === undefined ? {} : { key: await readText(key) }),
  };
}

async function saidToken(options: AccessOptions, env: Environment): Promise<string | undefined> {
  if (options.token !== undefined) return options.token;
  if (options.tokenFile !== undefined) return (await readText(options.tokenFile)).trim();
  return env["DISKFERRY_TOKEN"] || undefined;
}

async function readText(path: string): Promise<string> {
  return readFile(path, "utf8").catch((error: unknown) => {
    throw Fault.from(error, path);
  });
}

/** Undefined when there is no such file, or none that can be read. */
export async function readLeftAccess(path: string): Promise<LeftAccess | undefined> {
  const text = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT" || error.code === "EACCES") return "{}";
    throw Fault.from(error, path);
  });
  try {
    const { server, token } = JSON.parse(text) as Partial<LeftAccess>;
    return typeof server === "string" && typeof token === "string" ? { server, token } : undefined;
  } catch {
    throw new Fault("USAGE", `${path}: is no JSON: remove it, and start the daemon again`);
  }
}

/** Readable for its owner alone. */
export async function writeLeftAccess(path: string, access: LeftAccess): Promise<void> {
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    await writeFile(`${path}.new`, `${JSON.stringify(access)}\n`, { mode: 0o600 });
    await rename(`${path}.new`, path);
  } catch (error) {
    throw Fault.from(error, path);
  }
}
