/** Tasks for tests, brought to where they are needed by the events that lead there. */
import { isRefusal, step, type TaskEvent } from "../../src/task/step.ts";
import { acceptedTask, type NewTask, type Task, type TaskBytes } from "../../src/task/task.ts";

export const NOW = Date.UTC(2026, 10, 22, 9, 0, 0);

const EXPORT: NewTask = {
  id: "task-1",
  project: "p1",
  spec: {
    kind: "export",
    from: { kind: "image", image: "image-1" },
    destination: "bucket",
    objects: ["disk.qcow2"],
    format: "qcow2",
    verify: "by the store",
  },
  regions: ["east"],
  exclusive: [],
  bandwidth: 0,
  requestId: "request-1",
};

export function queuedTask(given: Partial<NewTask> = {}): Task {
  return acceptedTask({ ...EXPORT, ...given }, 1, NOW);
}

export const START: TaskEvent = { kind: "started", runner: "host-1", slots: ["east"] };
export const CANCEL: TaskEvent = { kind: "cancel-accepted" };
export const RESULT = { objects: [] } as const;
export const FAILURE = { stage: "data", code: "NETWORK", message: "lost", retryable: true } as const;

/** Of a plan of 8500 bytes, so that 85 committed bytes less 0 are one percent. */
export const TOTAL = 8500;

export function committed(bytes: number): TaskEvent {
  return { kind: "progressed", bytes: counters(bytes) };
}

function counters(bytes: number): Omit<TaskBytes, "total"> {
  return { read: bytes, encoded: bytes, sent: bytes, committed: bytes };
}

/** Bytes that make this progress in the data stage. */
export function bytesAt(progress: number): number {
  return ((progress - 10) * TOTAL) / 85;
}

/** @throws when one of the events is refused. */
export function after(task: Task, ...events: readonly TaskEvent[]): Task {
  return events.reduce((before, event) => {
    const outcome = step(before, event, NOW);
    if (isRefusal(outcome)) throw new Error(`${event.kind}: ${outcome.message}`);
    return outcome;
  }, task);
}

const PLANNED: TaskEvent = { kind: "planned", total: TOTAL };

/** A task in its first run, at this progress. */
export function runningAt(progress: number): Task {
  const events: TaskEvent[] = [START];
  if (progress >= 5) events.push({ kind: "opened" });
  if (progress >= 10) events.push(PLANNED);
  if (progress > 10) events.push(committed(bytesAt(Math.min(progress, 95))));
  if (progress >= 96) events.push({ kind: "sealing" });
  if (progress >= 97) events.push({ kind: "committing" });
  if (progress >= 98) events.push({ kind: "verifying" });
  if (progress >= 99) events.push({ kind: "cataloguing" });
  const task = after(queuedTask(), ...events);
  if (task.progress !== progress) throw new Error(`no run of a task stands at ${progress} %`);
  return task;
}
