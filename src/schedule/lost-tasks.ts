/** Tasks that the record shows in the hands of runs which have ended: it took none of the ends that they told it. */
import { Fault } from "../fault/fault.ts";
import { isRefusal, type TaskEvent } from "../task/step.ts";
import type { Failure, Task } from "../task/task.ts";
import type { SchedulePorts } from "./ports.ts";
import { afterFailedCleaning, afterSetback } from "./setback.ts";

export interface LostTasks {
  /** @param task as its run knew it last */
  add(task: Task): void;
  /** Queues again what may be run again, and leaves the rest for the next time. Never throws. */
  giveBack(): Promise<void>;
}

export function lostTasks(ports: Pick<SchedulePorts, "record" | "note" | "now" | "random">): LostTasks {
  const { record, note, now } = ports;
  const lost = new Map<string, { readonly run: Task; readonly told: boolean }>();

  async function giveBackOne(run: Task): Promise<void> {
    const task = await record.task(run.id);
    const held = task?.run?.runner === run.run?.runner && task?.attempts === run.attempts;
    if (task === undefined || !held) return;
    const outcome = await record.apply(run.id, endOf(task, ports), now());
    if (outcome !== undefined && isRefusal(outcome))
      throw new Fault("INTERNAL", `task ${run.id}: ${outcome.message}`);
  }

  return {
    add(task) {
      lost.set(task.id, { run: task, told: false });
    },
    async giveBack() {
      for (const [id, { run, told }] of lost) {
        try {
          await giveBackOne(run);
          lost.delete(id);
        } catch (error) {
          lost.set(id, { run, told: true });
          const { code, message } = Fault.from(error, `task ${id}`);
          if (!told) note("error", "task-kept", { task: id, code, message });
        }
      }
    },
  };
}

function endOf(task: Task, ports: Pick<SchedulePorts, "now" | "random">): TaskEvent {
  // FJ-25: an accepted cancel is carried out, however often that takes.
  if (task.cancel !== undefined) return afterFailedCleaning(task, 0, ports);
  const failure: Failure = {
    stage: task.stage,
    code: "INTERNAL",
    message: "the end of its run could not be recorded",
    retryable: true,
  };
  return afterSetback(task, failure, 0, ports) ?? { kind: "failed", failure };
}
