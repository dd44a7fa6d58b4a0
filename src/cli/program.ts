/** The commands, and what becomes of an error. */
import { Command, CommanderError } from "commander";
import { Fault } from "../fault/fault.ts";
import { addCancel } from "./cancel.ts";
import type { CliContext } from "./context.ts";
import { addCopy } from "./copy.ts";
import { addDemo } from "./demo.ts";
import { addDoctor } from "./doctor.ts";
import { EXIT } from "./exit-status.ts";
import { addExport } from "./export.ts";
import { addImages } from "./images.ts";
import { addImport } from "./import.ts";
import { addInspect } from "./inspect.ts";
import { addLimits } from "./limits.ts";
import { addRegions } from "./regions.ts";
import { writeFault } from "./report.ts";
import { addServe } from "./serve.ts";
import { addTask } from "./task.ts";
import { addTasks } from "./tasks.ts";
import { addTransfer } from "./transfer.ts";
import { addVerify } from "./verify.ts";
import { addWatch } from "./watch.ts";

export function buildProgram(context: CliContext, version: string): Command {
  const program = new Command("diskferry")
    .description("Moves disk images: converts while it streams, lands in one verified, resumable pass.")
    .version(version)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => context.stdout.write(text),
      writeErr: (text) => context.stderr.write(text),
    })
    .showHelpAfterError("(add --help for the options)");
  addTransfer(program, context);
  addInspect(program, context);
  addVerify(program, context);
  addDoctor(program, context);
  addDemo(program, context);
  addServe(program, context);
  addImport(program, context);
  addExport(program, context);
  addCopy(program, context);
  addTasks(program, context);
  addTask(program, context);
  addWatch(program, context);
  addCancel(program, context);
  addImages(program, context);
  addRegions(program, context);
  addLimits(program, context);
  return program;
}

/** Runs one command line. @returns the exit status. */
export async function run(context: CliContext, args: readonly string[], version: string): Promise<number> {
  const program = buildProgram(context, version);
  try {
    await program.parseAsync([...args], { from: "user" });
    return Number(process.exitCode ?? 0);
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT.usage;
    const fault = Fault.from(context.signal.aborted ? context.signal.reason : error, "diskferry");
    writeFault(context, fault, args.includes("--json"));
    if (fault.code === "CANCELED") return EXIT.interrupted;
    return fault.code === "USAGE" ? EXIT.usage : EXIT.failed;
  }
}
