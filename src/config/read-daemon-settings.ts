/** Where the settings of `diskferry serve` come from: a file, or what is built in. */
import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { Fault } from "../fault/fault.ts";
import { type DaemonSettings, daemonSettingsSchema } from "./daemon-settings.ts";
import { type Environment, stateDirectory } from "./settings.ts";
import { readYaml } from "./yaml.ts";

/** @throws Fault USAGE that names the file, the line and the field. */
export async function readDaemonSettings(path: string, env: Environment): Promise<DaemonSettings> {
  const text = await readFile(path, "utf8").catch((error: unknown) => {
    throw Fault.from(error, path);
  });
  return readYaml(text, path, daemonSettingsSchema, {
    variable: (name) => env[name],
    file(named) {
      try {
        return readFileSync(named, "utf8");
      } catch (error) {
        throw Fault.from(error, named);
      }
    },
  });
}

/** Below the user's state directory, unless the settings say otherwise. */
export function daemonDirectory(settings: Pick<DaemonSettings, "stateDirectory">, env: Environment): string {
  return settings.stateDirectory ?? join(stateDirectory({ stores: {} }, env), "daemon");
}

/** The project of who may do everything, where nobody else is configured. */
export const FIRST_PROJECT = "default";

/**
 * For a first look, on this host alone: two regions whose images are files in the state directory, a place for exports
 * in each, the user's own files and any URL to import from, and copies that may be encrypted.
 */
export function builtInSettings(
  env: Environment,
  {
    port,
    directory,
  }: {
    readonly port: number | undefined;
    /** Stands for the user's home, and holds the state. */
    readonly directory: string | undefined;
  },
): DaemonSettings {
  const state = directory === undefined ? daemonDirectory({}, env) : join(directory, "daemon");
  const sample = (region: string) => ({
    [`${region}-images`]: { region, location: join(state, region, "images") },
    [`${region}-exports`]: { region, location: join(state, region, "exports") },
  });
  return daemonSettingsSchema.parse({
    stateDirectory: state,
    listen: { cleartext: port === undefined ? {} : { port } },
    regions: {
      east: { imageStore: "east-images", encryptOnCopy: "allowed" },
      west: { imageStore: "west-images", encryptOnCopy: "allowed" },
    },
    projects: { [FIRST_PROJECT]: { keyService: "authorized" } },
    destinations: { ...sample("east"), ...sample("west") },
    roots: { home: directory ?? env["HOME"] ?? homedir() },
    // Whoever has the token of this daemon is at home on this host.
    urls: "anywhere",
  });
}
