/** What a directory holds under some names already (FJ-7). */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { Fault } from "../../fault/fault.ts";
import { partialsOf, refusePartialName } from "./directory.ts";

/**
 * The files that are there, or are being written.
 * @throws Fault NOT_FOUND when the directory is not there; USAGE when a name is one that half-written files have.
 */
export async function existingInDirectory(
  directory: string,
  objects: readonly string[],
): Promise<readonly string[]> {
  if (!(await isThere(directory))) throw new Fault("NOT_FOUND", `${directory}: there is no such directory`);
  const found: string[] = [];
  for (const object of objects) {
    const final = join(directory, object);
    refusePartialName(final);
    if ((await isThere(final)) || (await partialsOf(final)).length > 0) found.push(object);
  }
  return found;
}

async function isThere(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    const fault = Fault.from(error, path);
    if (fault.code === "NOT_FOUND") return false;
    throw fault;
  }
}
