/** diskferry watch: tasks as they move. */
import type { Command } from "commander";
import type { CliContext } from "./context.ts";
import { EXIT } from "./exit-status.ts";
import { wholeOption } from "./options.ts";
import { addServerOptions, type ServerOptions, speaksJson, withClient } from "./server.ts";

interface WatchOptions extends ServerOptions {
  readonly after?: number;
}

export function addWatch(program: Command, context: CliContext): void {
  const command = program
    .command("watch")
    .summary("watch one task to its end, or all of them")
    .description(
      "With a task: shows it until it has ended; status 1 when it has not succeeded. Without: shows every task that " +
        "is under way, and those that come, until you interrupt it. On a terminal there are bars; else JSON lines: the " +
        "task whenever it has changed, or the events of all tasks.",
    )
    .argument("[id]", "task")
    .option("--after <event>", "begin behind the event of this number, 0: with the first", wholeOption);
  addServerOptions(command)
    .addHelpText("after", "\nExamples:\n  diskferry watch\n  diskferry watch --after 0 --json\n")
    .action(async (id: string | undefined, options: WatchOptions) => {
      await withClient(context, options, async (client) => {
        const { followTask } = await import("./follow.ts");
        if (id !== undefined) return followTask(id, "succeeded", client, context, options);
        const { showEvents, watchBars } = await import("./watch-all.ts");
        if (speaksJson(context, options)) await showEvents(options.after, client, context);
        else await watchBars(client, context);
        process.exitCode = EXIT.interrupted;
      });
    });
}
