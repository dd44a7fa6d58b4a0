/** The commands, and what becomes of an error. */
import { Command, CommanderError } from "commander";
import { compareVersions } from "../engine/compare-versions.ts";
import { Fault } from "../fault/fault.ts";
import type { CliContext } from "./context.ts";
import { EXIT } from "./exit-status.ts";
import { writeFault } from "./report.ts";

type AddCommand = (program: Command, context: CliContext) => void;

/** Each is loaded when it is asked for: a command line pays for no other command. */
const COMMANDS: Readonly<Record<string, () => Promise<AddCommand>>> = {
  transfer: async () => (await import("./transfer.ts")).addTransfer,
  inspect: async () => (await import("./inspect.ts")).addInspect,
  verify: async () => (await import("./verify.ts")).addVerify,
  doctor: async () => (await import("./doctor.ts")).addDoctor,
  demo: async () => (await import("./demo.ts")).addDemo,
  serve: async () => (await import("./serve.ts")).addServe,
  import: async () => (await import("./import.ts")).addImport,
  export: async () => (await import("./export.ts")).addExport,
  copy: async () => (await import("./copy.ts")).addCopy,
  tasks: async () => (await import("./tasks.ts")).addTasks,
  task: async () => (await import("./task.ts")).addTask,
  watch: async () => (await import("./watch.ts")).addWatch,
  cancel: async () => (await import("./cancel.ts")).addCancel,
  images: async () => (await import("./images.ts")).addImages,
  regions: async () => (await import("./regions.ts")).addRegions,
  limits: async () => (await import("./limits.ts")).addLimits,
};

/** @param names of the commands that it is to have; absent: all. */
export async function buildProgram(
  context: CliContext,
  names: readonly string[] = Object.keys(COMMANDS),
): Promise<Command> {
  const program = new Command("diskferry")
    .description("Moves disk images: converts while it streams, lands in one verified, resumable pass.")
    .version(context.installation.version)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => context.stdout.write(text),
      writeErr: (text) => context.stderr.write(text),
      // `run` tells it in one line, like every other.
      outputError: () => {},
    });
  for (const name of names) (await COMMANDS[name]?.())?.(program, context);
  return program;
}

/** Runs one command line. @returns the exit status. */
export async function run(context: CliContext, args: readonly string[]): Promise<number> {
  const json = args.includes("--json");
  const tooOld = oldNode(context);
  if (tooOld !== undefined) {
    writeFault(context, tooOld, json);
    return EXIT.failed;
  }
  const [first = ""] = args;
  const named = first === "--version" ? [] : Object.hasOwn(COMMANDS, first) ? [first] : undefined;
  const program = await buildProgram(context, named);
  try {
    await program.parseAsync([...args], { from: "user" });
    return Number(process.exitCode ?? 0);
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return 0;
    // The help has been shown, since no command was given.
    if (error instanceof CommanderError && error.code === "commander.help") return EXIT.usage;
    const fault =
      error instanceof CommanderError
        ? misuse(error, named?.[0])
        : Fault.from(context.signal.aborted ? context.signal.reason : error, "diskferry");
    writeFault(context, fault, json);
    if (fault.code === "CANCELED") return EXIT.interrupted;
    return fault.code === "USAGE" ? EXIT.usage : EXIT.failed;
  }
}

/** The commands do not even load where the language is older than they are. */
function oldNode({ installation }: CliContext): Fault | undefined {
  const { node } = process.versions;
  if (compareVersions(node, installation.node) >= 0) return undefined;
  return new Fault(
    "PRECONDITION",
    `this is Node ${node}, and diskferry runs on ${installation.node} or later: install a newer Node`,
  );
}

/** In one line, with where to look. */
function misuse({ message }: CommanderError, command: string | undefined): Fault {
  const said = message
    .replace(/^error: /, "")
    // What is too many is not repeated: a URL may hold a secret.
    .replace(/\b(but got \d+): .*/s, "$1")
    .replace(/\s+/g, " ")
    .replace(/\.$/, "");
  const help = ["diskferry", ...(command === undefined ? [] : [command]), "--help"].join(" ");
  return new Fault("USAGE", `${said}; ${help} shows what there is`);
}
