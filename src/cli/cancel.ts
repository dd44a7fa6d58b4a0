/** diskferry cancel: asks a daemon to stop a task. */
import type { Command } from "commander";
import type { CliContext } from "./context.ts";
import { addServerOptions, type ServerOptions, speaksJson, withClient } from "./server.ts";

interface CancelOptions extends ServerOptions {
  readonly wait?: true;
}

export function addCancel(program: Command, context: CliContext): void {
  const command = program
    .command("cancel")
    .summary("stop a task")
    .description(
      "Asks for a task to be stopped. A queued task ends at once. A running one ends at its next stop line (40, 70 " +
        "or 95 percent), and leaves nothing in its destination. Once the result is being published it is too late.",
    )
    .argument("<id>", "task")
    .option("--wait", "follow the task to its end; status 0 when it was canceled");
  addServerOptions(command).action((id: string, options: CancelOptions) => cancel(id, options, context));
}

async function cancel(id: string, options: CancelOptions, context: CliContext): Promise<void> {
  const { stdout, signal } = context;
  await withClient(context, options, async (client) => {
    const { task } = await client.tasks.cancelTask({ id }, client.once(signal));
    const { stateOf, taskJson } = await import("./task-text.ts");
    if (task === undefined) return;
    if (options.wait) {
      const { followTask } = await import("./follow.ts");
      await followTask(id, "canceled", client, context, options);
    } else if (speaksJson(context, options)) {
      stdout.write(`${taskJson(task)}\n`);
    } else {
      const { cancel: accepted } = task;
      const line = stateOf(task) === "cancelling" ? `, stops at ${accepted?.stopAt ?? task.progress} %` : "";
      stdout.write(`${stateOf(task)}${line}\n`);
    }
  });
}
