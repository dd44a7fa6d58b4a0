/** What becomes of a task that meets a fault which may pass: another run later, with longer and longer waits. */
import { withSetback } from "../task/setbacks.ts";
import type { TaskEvent } from "../task/step.ts";
import type { Failure, Task } from "../task/task.ts";
import type { SchedulePorts } from "./ports.ts";

/** Setbacks in a row before a task fails. The waits below add up to 51 minutes at least, and to 1 h 43 min at most. */
const MOST_SETBACKS = 12;
const FIRST_WAIT_MS = 5_000;
const LONGEST_WAIT_MS = 30 * 60_000;
/** Between two attempts to clean up: who has cancelled waits for it (FJ-27). */
const LONGEST_CLEAN_WAIT_MS = 60_000;

/** Back into the queue; undefined when it was there often enough. @param atLeast milliseconds */
export function afterSetback(
  task: Task,
  setback: Failure,
  atLeast: number,
  ports: Pick<SchedulePorts, "now" | "random">,
): Extract<TaskEvent, { readonly kind: "requeued" }> | undefined {
  const { setbacks } = withSetback(task);
  if (setbacks >= MOST_SETBACKS) return undefined;
  return { kind: "requeued", setback, notBefore: ports.now() + waitMs(setbacks, atLeast, ports) };
}

/** Back into the queue, to be cleaned up again. @param atLeast milliseconds */
export function afterFailedCleaning(
  { attempts }: Task,
  atLeast: number,
  ports: Pick<SchedulePorts, "now" | "random">,
): Extract<TaskEvent, { readonly kind: "requeued" }> {
  const waited = Math.min(LONGEST_CLEAN_WAIT_MS, waitMs(attempts, atLeast, ports));
  return { kind: "requeued", notBefore: ports.now() + waited };
}

/** Whole milliseconds. Full jitter over the upper half: neither all at once, nor at once. */
function waitMs(times: number, atLeast: number, { random }: Pick<SchedulePorts, "random">): number {
  const bound = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** Math.min(times - 1, 20));
  return Math.min(LONGEST_WAIT_MS, Math.ceil(Math.max(atLeast, bound * (0.5 + random() / 2))));
}
