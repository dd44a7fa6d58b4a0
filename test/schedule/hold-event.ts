/** A record that lets a run wait before one of its events is taken. */

import type { TaskRecord } from "../../src/record/record.ts";
import { unlessAborted } from "../../src/schedule/in-step.ts";
import type { TaskEvent } from "../../src/task/step.ts";

export interface HeldEvent {
  readonly record: TaskRecord;
  /** Resolves when a run has come to the event. */
  readonly reached: Promise<void>;
  release(): void;
}

export function holdEvent(record: TaskRecord, kind: TaskEvent["kind"], signal: AbortSignal): HeldEvent {
  const reached = Promise.withResolvers<void>();
  const released = Promise.withResolvers<void>();
  return {
    record: {
      ...record,
      async apply(task, event, at) {
        if (event.kind === kind) {
          reached.resolve();
          await unlessAborted(released.promise, signal);
        }
        return record.apply(task, event, at);
      },
    },
    reached: reached.promise,
    release: () => released.resolve(),
  };
}
