/** A request for a task on its way: what its options mean in messages, and what is said of its answer. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Task, WriteOptionsSchema } from "../api/connect/generated/diskferry/v1/task_pb.ts";
import { Verification } from "../api/connect/generated/diskferry/v1/task_pb.ts";
import type { TaskOptionsSchema } from "../api/connect/generated/diskferry/v1/task_service_pb.ts";
import { COMPRESSION } from "../api/connect/task-words.ts";
import { Fault } from "../fault/fault.ts";
import type { AskOptions, WriteOptions } from "./ask.ts";
import type { Client } from "./client.ts";
import type { CliContext } from "./context.ts";
import { followTask } from "./follow.ts";
import { speaksJson } from "./server.ts";
import { madeImage, moveOf, taskJson } from "./task-text.ts";

export function taskOptions(options: AskOptions): MessageInitShape<typeof TaskOptionsSchema> {
  const { clientToken = "", bandwidth = 0, verify, check = false } = options;
  return {
    clientToken,
    bandwidth: BigInt(bandwidth),
    verification: verify ? Verification.READ_BACK : Verification.BY_THE_STORE,
    validateOnly: check,
  };
}

/** @throws Fault USAGE for options that say how to write a format which is not said. */
export function writeOptions(options: WriteOptions): MessageInitShape<typeof WriteOptionsSchema> | undefined {
  const { format, compression, level, clusterSize } = options;
  if (format === undefined) {
    if (compression ?? level ?? clusterSize) {
      throw new Fault("USAGE", "--compression, --level and --cluster-size need --format");
    }
    return undefined;
  }
  return {
    format,
    ...(compression === undefined ? {} : { compression: COMPRESSION.wire(compression) }),
    ...(level === undefined ? {} : { level }),
    ...(clusterSize === undefined ? {} : { clusterSize: BigInt(clusterSize) }),
  };
}

/** With `--wait` the task is followed to its end. */
export async function sayAccepted(
  { task, replayed }: { readonly task?: Task | undefined; readonly replayed: boolean },
  client: Client,
  context: CliContext,
  options: AskOptions,
): Promise<void> {
  const { stdout } = context;
  const json = speaksJson(context, options);
  if (task === undefined) {
    stdout.write(json ? `${JSON.stringify({ event: "checked" })}\n` : "it would be accepted\n");
  } else if (options.wait) {
    await followTask(task.id, "succeeded", client, context, options);
  } else if (json) {
    stdout.write(`${taskJson(task)}\n`);
  } else {
    const image = madeImage(task);
    stdout.write(`task       ${task.id}${replayed ? " (accepted before)" : ""}\n`);
    if (image !== undefined) stdout.write(`image      ${image}\n`);
    stdout.write(`moves      ${moveOf(task)}\nwatch it   diskferry watch ${task.id}\n`);
  }
}
