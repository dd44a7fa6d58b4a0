/** diskferry doctor: what this machine offers. */
import type { Command } from "commander";
import type { Finding } from "../engine/examine.ts";
import type { CliContext } from "./context.ts";

interface DoctorOptions {
  readonly json?: true;
  readonly config?: string;
}

/** Exit status when something that is configured does not work. */
const FAILED = 1;

export function addDoctor(program: Command, context: CliContext): void {
  program
    .command("doctor")
    .summary("show runtime, native helpers, and whether the configured stores can be reached")
    .description(
      "Looks at the runtime, the machine and its native helpers, measures them, and knocks at every store that the " +
        "environment or the configuration file names. Exit status 1 when something configured does not work.",
    )
    .option("--json", "one JSON object")
    .option("--config <file>", "configuration file")
    .action((options: DoctorOptions) => showExamination(options, context));
}

async function showExamination(options: DoctorOptions, context: CliContext): Promise<void> {
  await using engine = await context.engine(options);
  const { examine } = await import("../engine/examine.ts");
  const { places, credentials, stateDirectory } = engine;
  const runtime = { version: process.versions.node, atLeast: context.installation.node };
  const findings = await examine({ places, credentials, stateDirectory, runtime }, context.signal);
  const ok = findings.every(({ state }) => state !== "failed");
  if (options.json) context.stdout.write(`${JSON.stringify({ ok, findings })}\n`);
  else for (const line of table(findings)) context.stdout.write(`${line}\n`);
  if (!ok) process.exitCode = FAILED;
}

function* table(findings: readonly Finding[]): Generator<string> {
  for (const { name, state, text } of findings) yield `${state.padEnd(15)} ${name.padEnd(13)} ${text}`;
}
