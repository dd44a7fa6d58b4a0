/**
 * A run is lost when its daemon ends in its midst. A task may be what ends the daemon: its runs are numbered, soon kept
 * apart from those of others, and in the end it is given up. One that gets further is above suspicion.
 */
import type { TaskEvent } from "./step.ts";
import type { LostRuns, Task } from "./task.ts";

/**
 * Runs in a row that are lost before the task fails: with the waits between them, not within half an hour. Something else
 * that ends the daemon again and again has by then stopped, or left the task the time to get further.
 */
const MOST_LOST = 12;
/** From the third on it is run apart from others that are as suspicious. */
const SUSPICIOUS = 3;
const APART_MS = 5_000;
const LONGEST_WAIT_MS = 10 * 60_000;
/** Who has cancelled waits for it (FJ-28). */
const LONGEST_CANCEL_WAIT_MS = 60_000;

/** What is lost of a task that is running now, this run included. */
export function lostRuns({ lost, progress, bytes: { committed } }: Task): LostRuns {
  const further = lost === undefined || progress > lost.progress || committed > lost.committed;
  return { runs: further ? 1 : lost.runs + 1, progress, committed };
}

/**
 * What becomes of a task whose run is lost.
 * @param suspects tasks that were lost with it, and are held back before it.
 */
export function lossOf(task: Task, suspects: number, at: number): TaskEvent {
  const { runs } = lostRuns(task);
  // An accepted cancel is carried out (FJ-25), however often that takes.
  if (runs >= MOST_LOST && task.cancel === undefined) {
    const message = `the daemon ended in the midst of ${runs} runs in a row`;
    return { kind: "failed", failure: { stage: task.stage, code: "INTERNAL", message, retryable: false } };
  }
  if (runs < SUSPICIOUS) return { kind: "requeued", lost: true };
  const longest = task.cancel === undefined ? LONGEST_WAIT_MS : LONGEST_CANCEL_WAIT_MS;
  const waitMs = Math.min(longest, APART_MS * 2 ** Math.min(runs - SUSPICIOUS, 20));
  return { kind: "requeued", lost: true, notBefore: at + waitMs + APART_MS * suspects };
}
