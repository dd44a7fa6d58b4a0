/** How a command speaks: a bar and a few lines for people on a terminal, JSON lines for everyone else. */
import type { CliContext } from "./context.ts";
import { jsonReporter, type Reporter } from "./report.ts";

export async function createReporter(context: CliContext, json: boolean): Promise<Reporter> {
  if (json || !context.stdout.isTTY) return jsonReporter(context);
  const { barReporter } = await import("./bar.ts");
  return barReporter(context);
}
