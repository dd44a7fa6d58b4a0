/** Setbacks are counted since the task last got further: an outage today is not held against one of last week. */
import type { Task } from "./task.ts";

/** What is known of a task that meets one more setback now. */
export function withSetback({ setbacks = 0, furthest = 0, bytes }: Task): {
  readonly setbacks: number;
  readonly furthest: number;
} {
  const { committed } = bytes;
  return { setbacks: committed > furthest ? 1 : setbacks + 1, furthest: Math.max(furthest, committed) };
}
