/** Follows one task to its end. */
import { setTimeout as sleep } from "node:timers/promises";
import { type Task, TaskState } from "../api/connect/generated/diskferry/v1/task_pb.ts";
import { FAULT_CODES, Fault, type FaultCode } from "../fault/fault.ts";
import { type Client, faultOf } from "./client.ts";
import type { CliContext } from "./context.ts";
import { EXIT } from "./exit-status.ts";
import { writeFault } from "./report.ts";
import { type ServerOptions, speaksJson } from "./server.ts";
import { TaskBars } from "./task-bars.ts";
import { labelOf, stateOf, taskJson, taskLines } from "./task-text.ts";

/** A daemon that restarts is waited for; one that stays away for so long is not. */
const AWAY_MS = 120_000;
const ASK_AGAIN_MS = 1_000;

/** Shows the task until it has ended; status 1 when that is not the end that was wanted. */
export async function followTask(
  id: string,
  wanted: "succeeded" | "canceled",
  client: Client,
  context: CliContext,
  options: ServerOptions,
): Promise<void> {
  const json = speaksJson(context, options);
  const { stdout, stderr, signal } = context;
  let last: Task | undefined;
  {
    using bars = json ? undefined : new TaskBars(stderr);
    try {
      for await (const task of taskChanges(id, client, signal)) {
        last = task;
        if (bars === undefined) stdout.write(`${taskJson(task)}\n`);
        else bars.show(shownOf(task), labelOf(task));
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }
  if (signal.aborted) {
    const hint = `interrupted; the task goes on: "diskferry watch ${id}" shows it, "diskferry cancel ${id}" stops it`;
    writeFault(context, new Fault("CANCELED", hint, { details: { task: id } }), options.json ?? false);
    process.exitCode = EXIT.interrupted;
    return;
  }
  if (last === undefined) throw new Fault("STORE_PROTOCOL", `task ${id}: nothing was told of it`);
  if (!json) for (const line of taskLines(last)) stdout.write(`${line}\n`);
  if (last.failure !== undefined) {
    const { code, message } = last.failure;
    throw new Fault(isFaultCode(code) ? code : "INTERNAL", `task ${id}: ${message}`);
  }
  if (stateOf(last) !== wanted) process.exitCode = EXIT.failed;
}

/** As it is now, and whenever it has changed, to its end; over restarts of the daemon. */
export async function* taskChanges(id: string, client: Client, signal: AbortSignal): AsyncGenerator<Task> {
  let heard = performance.now();
  for (;;) {
    try {
      for await (const { task } of client.tasks.watchTask({ id }, { signal })) {
        heard = performance.now();
        if (task === undefined) continue;
        yield task;
        if (isOver(task)) return;
      }
    } catch (error) {
      const fault = faultOf(error, client);
      if (signal.aborted || !fault.retryable || performance.now() - heard > AWAY_MS) throw fault;
    }
    await sleep(ASK_AGAIN_MS, undefined, { signal });
  }
}

export function isOver({ state }: Pick<Task, "state">): boolean {
  return state === TaskState.SUCCEEDED || state === TaskState.FAILED || state === TaskState.CANCELED;
}

export function shownOf(task: Pick<Task, "id" | "state" | "progress" | "bytes">) {
  const { id, progress, bytes } = task;
  return {
    id,
    state: stateOf(task),
    progress,
    committed: Number(bytes?.committed ?? 0),
    total: Number(bytes?.total ?? 0),
    final: isOver(task),
  };
}

function isFaultCode(code: string): code is FaultCode {
  return Object.hasOwn(FAULT_CODES, code);
}
