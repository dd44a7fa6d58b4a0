/** Removes what a task has put anywhere. */

import { journalFor } from "../engine/land-image.ts";
import { Fault } from "../fault/fault.ts";
import { journalsIn } from "../transfer/journal.ts";
import type { SchedulePorts } from "./ports.ts";
import { readTargets, removeFolder, type Target } from "./task-folder.ts";

/** `landed`: an object that is complete stays. */
export type Keep = "landed" | "nothing";

/**
 * Removes parts, uploads, temporary files and, unless they are to be kept, objects; then the folder itself. May be
 * called again when it has failed.
 * @throws Fault when a destination cannot be reached, or refuses; PRECONDITION when a journal is of a place that no
 * target leads to any more: what it tells of is still there.
 */
export async function cleanFolder(
  folder: string,
  keep: Keep,
  ports: Pick<SchedulePorts, "record" | "places">,
  signal: AbortSignal,
): Promise<void> {
  for (const target of await readTargets(folder)) await cleanTarget(folder, target, keep, ports, signal);
  const [lost] = await journalsIn(folder);
  if (lost !== undefined) {
    throw new Fault("PRECONDITION", `${folder}: ${lost} is of a place that its destination no longer names`);
  }
  await removeFolder(folder);
}

async function cleanTarget(
  folder: string,
  target: Target,
  keep: Keep,
  { record, places }: Pick<SchedulePorts, "record" | "places">,
  signal: AbortSignal,
): Promise<void> {
  const found = await record.catalogue.destinations.get(target.destination);
  if (found === undefined) {
    throw new Fault(
      "NOT_FOUND",
      `${target.object}: its destination ${target.destination} is no longer known`,
    );
  }
  await using destination = await places.destination(found.entry, target.object, signal);
  await using journal = await journalFor(destination, folder);
  const { unfinished, intended } = journal;
  if (unfinished !== undefined) {
    const stays = keep === "landed" && (await destination.landed(unfinished.token, signal)) !== undefined;
    if (!stays) await destination.discard(unfinished.token, signal);
  } else if (intended !== undefined) await destination.removeUnheard?.(intended, signal);
  await journal.remove();
}
