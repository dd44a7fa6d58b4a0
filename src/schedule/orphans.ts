/** What dead tasks have left: folders without an unfinished task, and whatever their journals tell of. */
import { Fault } from "../fault/fault.ts";
import { isFinal } from "../task/task.ts";
import { cleanFolder } from "./clean.ts";
import type { SchedulePorts } from "./ports.ts";
import { folderOf, tasksWithFolder } from "./task-folder.ts";

/**
 * Removes it, and says how many tasks there were whose leavings could not be removed.
 * @param isRunning whether a run has the task's folder in hand; it removes it by itself
 */
export async function removeOrphans(
  ports: Pick<SchedulePorts, "record" | "places" | "stateDirectory" | "note">,
  isRunning: (task: string) => boolean,
  signal: AbortSignal,
): Promise<number> {
  let left = 0;
  for (const id of await tasksWithFolder(ports.stateDirectory)) {
    if (isRunning(id)) continue;
    const state = (await ports.record.task(id))?.state;
    if (state !== undefined && !isFinal(state)) continue;
    // Of a task that is forgotten nobody knows whether it has succeeded.
    const keep = state === "failed" || state === "canceled" ? "nothing" : "landed";
    try {
      await cleanFolder(folderOf(ports.stateDirectory, id), keep, ports, signal);
      ports.note("info", "orphan-removed", { task: id, state: state ?? "forgotten" });
    } catch (error) {
      signal.throwIfAborted();
      const { code, message } = Fault.from(error, id);
      ports.note("warn", "orphan-kept", { task: id, code, message });
      left += 1;
    }
  }
  return left;
}
