/** One run of a task, from being claimed to whatever becomes of it. */
import { setTimeout as sleep } from "node:timers/promises";
import { Fault } from "../fault/fault.ts";
import { DEFAULT_RETRY, withRetry } from "../flow/retry.ts";
import type { TaskSpec } from "../task/spec.ts";
import { mustStop, type TaskEvent } from "../task/step.ts";
import type { Failure } from "../task/task.ts";
import { cleanFolder } from "./clean.ts";
import { copyMoves } from "./copy.ts";
import { exportMoves } from "./export.ts";
import type { HeldTask } from "./held-task.ts";
import { importMoves } from "./import.ts";
import { landMoves, type RunShare } from "./land-moves.ts";
import type { Move } from "./move.ts";
import type { RunOutcome, SchedulePorts } from "./ports.ts";
import { afterFailedCleaning, afterSetback } from "./setback.ts";
import { folderOf, removeFolder } from "./task-folder.ts";

/** How long one attempt to clean up may take. */
const CLEAN_MS = 10 * 60_000;
/** Between two attempts to tell the record how a run has ended. */
const TELL_AGAIN_MS = 1000;

/** Never throws. The run has ended for the record, too, unless it was lost. */
export async function runTask(held: HeldTask, share: RunShare, ports: SchedulePorts): Promise<RunOutcome> {
  const folder = folderOf(ports.stateDirectory, held.task.id);
  try {
    // Claimed to be cleaned up, and nothing else.
    if (mustStop(held.task)) return await cancel(held, folder, ports);
    const result = await landMoves(await movesOf(held.task.spec, ports), held, folder, share, ports);
    await held.report({ kind: "cataloguing" });
    await tell(held, { kind: "succeeded", result }, ports);
    await forget(folder, ports);
    return "succeeded";
  } catch (error) {
    return afterFault(held, Fault.from(error, `task ${held.task.id}`), folder, ports);
  }
}

function movesOf(spec: TaskSpec, ports: SchedulePorts): Promise<readonly Move[]> {
  switch (spec.kind) {
    case "export":
      return exportMoves(spec, ports);
    case "import":
      return importMoves(spec, ports);
    case "copy":
      return copyMoves(spec, ports);
  }
}

async function afterFault(
  held: HeldTask,
  fault: Fault,
  folder: string,
  ports: SchedulePorts,
): Promise<RunOutcome> {
  try {
    const { id, stage } = held.task;
    const { code, message } = fault;
    if (held.stop === "lost") return "lost";
    const task = await held.look();
    if (mustStop(task)) return await cancel(held, folder, ports);
    if (held.stop === "parking") return await tell(held, { kind: "parked" }, ports);
    ports.note("warn", "run-failed", { task: id, stage, code, message });
    const failure: Failure = { stage, code, message, retryable: fault.retryable };
    if (task.cancel !== undefined) {
      // FJ-25: it ends canceled, whatever it meets; nobody waits for data that is only to be removed.
      if (!(await insist(held, { kind: "cut-short", failure }, ports))) return "lost";
      return await cancel(held, folder, ports);
    }
    const again = fault.retryable ? afterSetback(task, failure, fault.retryAfterMs ?? 0, ports) : undefined;
    if (again !== undefined) return await tell(held, again, ports);
    await cleanAfterFailure(held, folder, ports);
    return await tell(held, { kind: "failed", failure }, ports);
  } catch (error) {
    const { code, message } = Fault.from(error, `task ${held.task.id}`);
    ports.note("error", "run-lost", { task: held.task.id, code, message });
    return "lost";
  }
}

/** Nothing is left in the destination when the task is canceled; until then it is claimed again and again. */
async function cancel(held: HeldTask, folder: string, ports: SchedulePorts): Promise<RunOutcome> {
  const { id, spec, cancel: accepted } = held.task;
  try {
    await cleanFolder(folder, "nothing", ports, deadlineOf(held));
  } catch (error) {
    const { code, message, retryAfterMs } = Fault.from(error, `task ${id}`);
    ports.note("warn", "clean-up-failed", { task: id, code, message });
    return tell(held, afterFailedCleaning(held.task, retryAfterMs ?? 0, ports), ports);
  }
  const outcome = await tell(held, { kind: "stopped" }, ports);
  if (accepted !== undefined) {
    ports.metrics.canceled(spec.kind, accepted.stopAt, (ports.now() - accepted.acceptedAt) / 1000);
  }
  return outcome;
}

/** What cannot be removed now stays noted in the folder, and is removed with other orphans. */
async function cleanAfterFailure(held: HeldTask, folder: string, ports: SchedulePorts): Promise<void> {
  const { id } = held.task;
  const deadline = deadlineOf(held);
  try {
    const policy = { ...DEFAULT_RETRY, random: ports.random };
    await withRetry(id, policy, () => cleanFolder(folder, "nothing", ports, deadline), deadline);
  } catch (error) {
    const { code, message } = Fault.from(error, `task ${id}`);
    ports.note("warn", "clean-up-failed", { task: id, code, message });
  }
}

function deadlineOf({ halted }: HeldTask): AbortSignal {
  return AbortSignal.any([AbortSignal.timeout(CLEAN_MS), halted]);
}

const OUTCOMES = {
  succeeded: "succeeded",
  failed: "failed",
  stopped: "canceled",
  parked: "parked",
  requeued: "requeued",
} as const;

type LastEvent = Extract<TaskEvent, { readonly kind: keyof typeof OUTCOMES }>;

/** Tells the record how the run has ended. */
async function tell(held: HeldTask, event: LastEvent, ports: SchedulePorts): Promise<RunOutcome> {
  return (await insist(held, event, ports)) ? OUTCOMES[event.kind] : "lost";
}

/**
 * Tells the record until the record takes it: the end of a run must not be lost for a moment's trouble. False when the
 * run no longer holds the task.
 */
async function insist(held: HeldTask, event: TaskEvent, ports: SchedulePorts): Promise<boolean> {
  for (;;) {
    try {
      await held.report(event);
      return true;
    } catch (error) {
      if (held.stop === "lost") return false;
      const { code, message } = Fault.from(error, `task ${held.task.id}`);
      if (code !== "STORE_UNAVAILABLE") throw error;
      ports.note("error", "record-fails", { task: held.task.id, code, message });
      // Halted, the daemon is about to end: it queues again whatever it holds when it starts the next time.
      await sleep(TELL_AGAIN_MS, undefined, { signal: held.halted });
    }
  }
}

async function forget(folder: string, ports: SchedulePorts): Promise<void> {
  // The object stands, which is what was asked for. The folder of a finished task is an orphan.
  await removeFolder(folder).catch((error: unknown) => {
    ports.note("warn", "clean-up-failed", { folder, message: Fault.from(error, folder).message });
  });
}
