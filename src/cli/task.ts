/** diskferry task: everything about one task. */
import type { Command } from "commander";
import type { CliContext } from "./context.ts";
import { addServerOptions, type ServerOptions, speaksJson, withClient } from "./server.ts";

export function addTask(program: Command, context: CliContext): void {
  const command = program
    .command("task")
    .summary("show one task")
    .description("Shows what a task moves, how far it has come, and what came of it.")
    .argument("<id>", "task");
  addServerOptions(command).action((id: string, options: ServerOptions) =>
    withClient(context, options, async (client) => {
      const { stdout, signal } = context;
      const { task } = await client.tasks.getTask({ id }, client.once(signal));
      const { taskJson, taskLines } = await import("./task-text.ts");
      if (task === undefined) return;
      if (speaksJson(context, options)) stdout.write(`${taskJson(task)}\n`);
      else for (const line of taskLines(task)) stdout.write(`${line}\n`);
    }),
  );
}
