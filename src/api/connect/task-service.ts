/** Tasks over Connect. */
import { isDeepStrictEqual } from "node:util";
import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import type { Accepted } from "../../record/record.ts";
import type { TaskRequest } from "../../service/request.ts";
import type { Service } from "../../service/service.ts";
import { isFinal } from "../../task/task.ts";
import { required } from "./fields.ts";
import type { TaskOptions, TaskService } from "./generated/diskferry/v1/task_service_pb.ts";
import { callerOf } from "./handler.ts";
import { eventMessage, taskMessage } from "./task-message.ts";
import { copyRequest, exportRequest, importRequest, listRequest, watchRequest } from "./task-request.ts";

export function taskService(service: Service): ServiceImpl<typeof TaskService> {
  /** Accepts the request, unless it is only to be checked. */
  async function ask<Request extends TaskRequest>(
    request: Request,
    options: TaskOptions | undefined,
    accept: (...args: [ReturnType<typeof callerOf>, Request, AbortSignal]) => Promise<Accepted>,
    context: HandlerContext,
  ) {
    const caller = callerOf(context);
    if (options?.validateOnly === true) {
      await service.rehearse(caller, request, context.signal);
      return {};
    }
    const { task, when } = await accept(caller, request, context.signal);
    return { task: taskMessage(task), replayed: when === "before" };
  }

  return {
    exportImage: (message, context) =>
      ask(exportRequest(message), message.options, service.exportImage, context),
    importImage: (message, context) =>
      ask(importRequest(message), message.options, service.importImage, context),
    copyImage: (message, context) => ask(copyRequest(message), message.options, service.copyImage, context),

    async getTask({ id }, context) {
      return { task: taskMessage(await service.getTask(callerOf(context), required("id", id))) };
    },
    async listTasks(message, context) {
      const request = listRequest(message);
      // First: what happens while the list is read is told once too often, not once too few.
      const sequence = await service.lastEvent();
      const { tasks, next, total } = await service.listTasks(callerOf(context), request);
      return {
        tasks: tasks.map(taskMessage),
        nextPageToken: next ?? "",
        totalSize: BigInt(total),
        eventSequence: BigInt(sequence),
      };
    },
    async cancelTask({ id }, context) {
      return { task: taskMessage(await service.cancelTask(callerOf(context), required("id", id))) };
    },
    async limitTask({ id, bandwidth }, context) {
      const caller = callerOf(context);
      return { task: taskMessage(await service.limitTask(caller, required("id", id), Number(bandwidth))) };
    },
    async *watchTask({ id }, context) {
      const caller = callerOf(context);
      const after = await service.lastEvent();
      let task = await service.getTask(caller, required("id", id));
      yield { task: taskMessage(task) };
      if (isFinal(task.state)) return;
      for await (const _ of service.watch(caller, { task: id, after }, context.signal)) {
        const now = await service.getTask(caller, id);
        if (isDeepStrictEqual(now, task)) continue;
        task = now;
        yield { task: taskMessage(task) };
        if (isFinal(task.state)) return;
      }
    },
    async *watchTasks(message, context) {
      for await (const event of service.watch(callerOf(context), watchRequest(message), context.signal)) {
        yield { event: eventMessage(event) };
      }
    },
  };
}
