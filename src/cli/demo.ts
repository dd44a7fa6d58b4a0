/** diskferry demo: the whole path on a disk of its own. */
import type { Command } from "commander";
import type { CliContext } from "./context.ts";

export function addDemo(program: Command, context: CliContext): void {
  program
    .command("demo")
    .summary("make a small disk, convert and land it, verify it, clean up")
    .option("--json", "JSON lines")
    .action(async () => {
      void context;
    });
}
