/** The directories of this host that the settings of a daemon name. */
import { mkdir, stat } from "node:fs/promises";
import { Fault } from "../fault/fault.ts";
import type { DaemonSettings } from "./daemon-settings.ts";

function directoriesOf({ roots, destinations }: DaemonSettings): readonly (readonly [string, string])[] {
  return [
    ...Object.entries(roots).map(([name, path]) => [`roots.${name}`, path] as const),
    ...Object.entries(destinations).flatMap(
      ([
        name,
        {
          location: { provider, location },
        },
      ]) => (provider === "directory" ? [[`destinations.${name}.location`, location] as const] : []),
    ),
  ];
}

/**
 * A directory that is not there may be a disk that is not mounted: nothing is to be written in its place.
 * @throws Fault USAGE
 */
export async function checkDirectories(settings: DaemonSettings): Promise<void> {
  for (const [field, path] of directoriesOf(settings)) {
    const found = await stat(path).catch((error: unknown) => {
      throw new Fault("USAGE", `${field}: ${Fault.from(error, path).message}`, { cause: error });
    });
    if (!found.isDirectory()) throw new Fault("USAGE", `${field}: ${path} is no directory`);
  }
}

/** For settings that are built in: what they name belongs to the daemon. */
export async function makeDirectories(settings: DaemonSettings): Promise<void> {
  for (const [, path] of directoriesOf(settings)) await makeDirectory(path);
}

/** For its owner alone. */
export async function makeDirectory(path: string): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o700 }).catch((error: unknown) => {
    throw Fault.from(error, path);
  });
}
