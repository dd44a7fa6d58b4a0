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
  const said = options.server ?? (env["DISKFERRY_SERVER"] || undefined);
  const given = await givenAccess(options, env);
  const left = await readLeftAccess(accessFile(join(stateDirectory({ stores: {} }, env), "daemon")));
  const server = said ?? given?.server ?? left?.server ?? DEFAULT_SERVER;
  if (!/^https?:\/\//.test(server) || !URL.canParse(server)) {
    throw new Fault("USAGE", "the server is an http or https URL, such as http://127.0.0.1:7411");
  }
  // A token that was given goes wherever its giver says; one that was found, to the daemon that has left it.
  const token = given === undefined && left?.server === server ? left.token : given?.token;
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

async function givenAccess(
  { token, tokenFile }: AccessOptions,
  env: Environment,
): Promise<Partial<LeftAccess> | undefined> {
  if (token !== undefined) return { token };
  if (tokenFile !== undefined) {
    const text = (await readText(tokenFile)).trim();
    return text.startsWith("{") ? parseLeftAccess(text, tokenFile) : { token: text };
  }
  const said = env["DISKFERRY_TOKEN"];
  return said === undefined || said === "" ? undefined : { token: said };
}

async function readText(path: string): Promise<string> {
  return readFile(path, "utf8").catch((error: unknown) => {
    throw Fault.from(error, path);
  });
}

/** Undefined when there is no such file, or none that can be read. */
export async function readLeftAccess(path: string): Promise<LeftAccess | undefined> {
  const text = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT" || error.code === "EACCES") return undefined;
    throw Fault.from(error, path);
  });
  return text === undefined ? undefined : parseLeftAccess(text, path);
}

function parseLeftAccess(text: string, path: string): LeftAccess {
  try {
    const { server, token } = JSON.parse(text) as Partial<LeftAccess>;
    if (typeof server === "string" && typeof token === "string") return { server, token };
  } catch {
    // Whatever stands there may be a secret: the message tells the same of all of it.
  }
  throw new Fault("USAGE", `${path}: is not what a daemon leaves: remove it, and start the daemon again`);
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
