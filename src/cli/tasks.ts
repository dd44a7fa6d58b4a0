/** diskferry tasks: what a daemon does, has done, and is to do. */
import { type Command, Option } from "commander";
import type { TaskKind } from "../task/spec.ts";
import { TASK_STATES, type TaskState } from "../task/task.ts";
import type { CliContext } from "./context.ts";
import { countOption } from "./options.ts";
import { addServerOptions, type ServerOptions, speaksJson, withClient } from "./server.ts";
import { tableLines } from "./table.ts";
import { formatTime } from "./time.ts";

interface TasksOptions extends ServerOptions {
  readonly state: readonly TaskState[];
  readonly kind: readonly TaskKind[];
  readonly region?: string;
  readonly image?: string;
  readonly project?: string;
  readonly limit: number;
}

const KINDS = ["export", "import", "copy"] as const satisfies readonly TaskKind[];
/** The most that one page holds. */
const PAGE = 200;

export function addTasks(program: Command, context: CliContext): void {
  const command = program
    .command("tasks")
    .summary("list tasks, newest first")
    .description("Lists the tasks of your project, newest first; for admins, those of every project.")
    .addOption(
      new Option("--state <state...>", "only in these states").choices(TASK_STATES).default([], "any"),
    )
    .addOption(new Option("--kind <kind...>", "only of these kinds").choices(KINDS).default([], "any"))
    .option("--region <region>", "only of this region")
    .option("--image <id>", "only those that read or make this image")
    .option("--project <project>", "only of this project; for admins")
    .option("--limit <n>", "tasks to show at most", countOption, 50);
  addServerOptions(command)
    .addHelpText(
      "after",
      "\nExamples:\n  diskferry tasks --state processing queued\n  diskferry tasks --limit 1000 --json\n",
    )
    .action((options: TasksOptions) => showTasks(options, context));
}

async function showTasks(options: TasksOptions, context: CliContext): Promise<void> {
  const { stdout, signal } = context;
  const json = speaksJson(context, options);
  await withClient(context, options, async (client) => {
    const { KIND, STATE } = await import("../api/connect/task-words.ts");
    const { kindOf, moveOf, secondsBetween, stateOf, taskJson } = await import("./task-text.ts");
    const wanted = {
      states: options.state.map((state) => STATE.wire(state)),
      kinds: options.kind.map((kind) => KIND.wire(kind)),
      region: options.region ?? "",
      imageId: options.image ?? "",
      project: options.project ?? "",
    };
    const rows: (string | number)[][] = [];
    let left = options.limit;
    for (let pageToken = ""; left > 0; ) {
      const asked = { ...wanted, pageToken, pageSize: Math.min(left, PAGE) };
      const { tasks, nextPageToken } = await client.tasks.listTasks(asked, client.once(signal));
      for (const task of tasks) {
        const { id, progress, acceptTime, startTime, endTime } = task;
        if (json) stdout.write(`${taskJson(task)}\n`);
        const took = startTime === undefined ? "" : formatTime(secondsBetween(startTime, endTime));
        const age = formatTime(secondsBetween(acceptTime, undefined));
        rows.push([id, kindOf(task), stateOf(task), progress, took, age, moveOf(task)]);
      }
      left -= tasks.length;
      pageToken = nextPageToken;
      if (pageToken === "") break;
    }
    if (json) return;
    for (const line of tableLines(["TASK", "KIND", "STATE", "%", "TOOK", "AGE", "MOVES"], rows)) {
      stdout.write(`${line}\n`);
    }
  });
}
