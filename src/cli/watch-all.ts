/** All tasks as they move. */
import { setTimeout as sleep } from "node:timers/promises";
import { toJsonString } from "@bufbuild/protobuf";
import { type TaskEvent, TaskEventSchema, TaskState } from "../api/connect/generated/diskferry/v1/task_pb.ts";
import { type Client, faultOf } from "./client.ts";
import type { CliContext } from "./context.ts";
import { isOver, shownOf } from "./follow.ts";
import { TaskBars } from "./task-bars.ts";
import { labelOf } from "./task-text.ts";

const ASK_AGAIN_MS = 1_000;
const UNFINISHED = [TaskState.QUEUED, TaskState.PROCESSING, TaskState.CANCELLING];
/** Queued tasks beyond these are shown when they start. */
const MOST_SHOWN = 200;

/** Writes events as JSON lines. @param after absent: only those that come. */
export async function showEvents(
  after: number | undefined,
  client: Client,
  { stdout, signal }: CliContext,
): Promise<void> {
  const from = after === undefined ? undefined : BigInt(after);
  for await (const event of events(from, client, signal)) {
    stdout.write(`${toJsonString(TaskEventSchema, event, { alwaysEmitImplicit: true })}\n`);
  }
}

/** Shows the tasks that are under way, and those that come. */
export async function watchBars(client: Client, { stderr, signal }: CliContext): Promise<void> {
  using bars = new TaskBars(stderr);
  const { tasks, eventSequence } = await client.tasks.listTasks(
    { states: UNFINISHED, pageSize: MOST_SHOWN },
    client.once(signal),
  );
  for (const task of tasks.toReversed()) bars.show(shownOf(task), labelOf(task));
  for await (const event of events(eventSequence, client, signal)) {
    const { taskId: id } = event;
    if (!bars.has(id)) {
      const { task } = await client.tasks.getTask({ id }, client.once(signal));
      if (task !== undefined && !isOver(task)) bars.show(shownOf(task), labelOf(task));
    } else bars.show(shownOf({ ...event, id }));
  }
}

/** Over restarts of the daemon, without a gap once an event was heard; until it is interrupted. */
async function* events(
  from: bigint | undefined,
  client: Client,
  signal: AbortSignal,
): AsyncGenerator<TaskEvent> {
  let after = from;
  for (;;) {
    try {
      const asked = after === undefined ? {} : { after };
      for await (const { event } of client.tasks.watchTasks(asked, { signal })) {
        if (event === undefined) continue;
        after = event.sequence;
        yield event;
      }
    } catch (error) {
      const fault = faultOf(error, client);
      if (!signal.aborted && !fault.retryable) throw fault;
    }
    await sleep(ASK_AGAIN_MS, undefined, { signal }).catch(() => {});
    if (signal.aborted) return;
  }
}
