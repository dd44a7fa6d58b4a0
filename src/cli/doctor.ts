/** diskferry doctor: what this machine offers. */
import type { Command } from "commander";
import type { CliContext } from "./context.ts";

export function addDoctor(program: Command, context: CliContext): void {
  program
    .command("doctor")
    .summary("show runtime, native helpers, and whether the configured stores can be reached")
    .option("--json", "one JSON object")
    .option("--config <file>", "configuration file")
    .action(async (options: { readonly json?: true; readonly config?: string }) => {
      await using engine = await context.engine(options);
      const { examine } = await import("../engine/examine.ts");
      const found = await examine(engine, context.signal);
      if (options.json) context.stdout.write(`${JSON.stringify(found)}\n`);
      else
        for (const { name, state, text } of found)
          context.stdout.write(`${state.padEnd(8)} ${name.padEnd(14)} ${text}\n`);
    });
}
