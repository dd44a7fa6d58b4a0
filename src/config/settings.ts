/** Where the configuration file is. Environment variables win over what it says. */
import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { Fault } from "../fault/fault.ts";
import type { Settings } from "./parse-settings.ts";

export type { Settings } from "./parse-settings.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Reads the file that was named; without a name, the user's own if there is one.
 * @throws Fault USAGE that names the file and the line.
 */
export async function readSettings(named: string | undefined, env: Environment): Promise<Settings> {
  const path =
    named ?? join(env["XDG_CONFIG_HOME"] ?? join(homedir(), ".config"), "diskferry", "config.yaml");
  const text = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT" && named === undefined) return undefined;
    throw Fault.from(error, path);
  });
  if (text === undefined) return { stores: {} };
  // Loaded by those alone who have such a file.
  const { parseSettings } = await import("./parse-settings.ts");
  return parseSettings(text, path);
}

/** Journals live here, unless the settings say otherwise. */
export function stateDirectory(settings: Settings, env: Environment): string {
  return (
    settings.stateDirectory ?? join(env["XDG_STATE_HOME"] ?? join(homedir(), ".local", "state"), "diskferry")
  );
}
