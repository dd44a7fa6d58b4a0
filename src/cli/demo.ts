/** diskferry demo: the whole path on a disk of its own. */
import { basename, resolve } from "node:path";
import type { Command } from "commander";
import { formatSize } from "../bytes/units.ts";
import type { DemoResult, DemoStep } from "../engine/demo.ts";
import type { CliContext } from "./context.ts";
import { addLogOptions, type LogOptions, loggedEvents, withLog } from "./log.ts";
import type { Reporter } from "./report.ts";
import { createReporter } from "./reporter.ts";
import { eventsTo } from "./transfer.ts";

interface DemoOptions extends LogOptions {
  readonly keep?: string;
  readonly daemon?: true;
  readonly json?: true;
}

export function addDemo(program: Command, context: CliContext): void {
  const command = program
    .command("demo")
    .summary("make a small disk, convert and land it, verify it, clean up")
    .description(
      "Makes a disk of 256 MiB with a FAT16 volume full of files of this installation, converts it from raw to " +
        "compressed qcow2 and back, compares every byte, and removes all of it. Needs no other program and no network.",
    )
    .option("--daemon", "let a daemon import, export and copy the disk, and compare what comes out")
    .option("--keep <directory>", "write the images into this directory, and leave them there")
    .option("--json", "JSON lines instead of a progress bar");
  addLogOptions(command).action((options: DemoOptions) => showDemo(options, context));
}

async function showDemo(options: DemoOptions, context: CliContext): Promise<void> {
  const reporter = await createReporter(context, options.json ?? false);
  const request = { command: "demo", options };
  try {
    await withLog(context, options, request, async (log) => {
      if (options.daemon) {
        const { showDaemonDemo } = await import("./demo-daemon.ts");
        const json = options.json ?? !context.stdout.isTTY;
        const kept = options.keep === undefined ? {} : { keep: resolve(options.keep) };
        return showDaemonDemo({ json, ...kept }, reporter, context);
      }
      await using engine = await context.engine({});
      const { runDemo } = await import("../engine/demo.ts");
      const result = await runDemo(
        {
          installation: context.installation.directory,
          ...(options.keep === undefined ? {} : { keep: options.keep }),
        },
        {
          places: engine.places,
          producer: engine.producer,
          // The demonstration speaks of its steps, not of the stages of each transfer.
          events: loggedEvents({ ...eventsTo(reporter), onStage: () => {} }, log),
          onStep(step) {
            log.note("info", "step", { ...step });
            showStep(reporter, step);
          },
        },
        context.signal,
      );
      reporter.done({ ...result }, lines(result));
      return { ...result };
    });
  } finally {
    reporter.stop();
  }
}

function showStep(reporter: Reporter, step: DemoStep): void {
  const { step: name, ...rest } = step;
  switch (step.step) {
    case "make":
      reporter.stage("make");
      reporter.note({ event: "step", step: name, ...rest }, "making a disk with a file system");
      break;
    case "convert":
      reporter.stage(`${basename(step.from)} → ${basename(step.to)}`.padEnd(24));
      reporter.note(
        { event: "step", step: name, ...rest },
        `converting ${basename(step.from)} to ${basename(step.to)}`,
      );
      break;
    case "compare":
      reporter.stage("compare".padEnd(24));
      reporter.note({ event: "step", step: name, ...rest }, "comparing the two raw disks");
      break;
    case "hash":
      reporter.stage("hash");
      reporter.note({ event: "step", step: name, ...rest }, "hashing the two raw files");
      break;
  }
}

function lines(result: DemoResult): string[] {
  const { disk, legs, guestDigest, sha256, qemu, kept } = result;
  const shown = legs.map(({ name, size, sent, seconds }) => {
    const rate = formatSize(Math.round(disk.size / Math.max(seconds, 0.001)));
    const saved = disk.size - sent;
    return (
      `${basename(name).padEnd(11)} ${formatSize(size)}, ${formatSize(sent)} written (${formatSize(saved)} saved) ` +
      `in ${seconds.toFixed(1)} s: ${rate}/s of disk`
    );
  });
  return [
    `disk.raw    ${formatSize(disk.size)} disk with a FAT16 volume: ${disk.files} files, ${formatSize(disk.content)}`,
    ...shown,
    `digest      ${guestDigest}, the same for all three`,
    `sha256      ${sha256}, the same for disk.raw and back.raw`,
    ...(qemu === "agrees"
      ? ["qemu-img    checked disk.qcow2 and compared it with disk.raw: no difference"]
      : []),
    kept === undefined ? "cleaned up  nothing is left behind" : `kept        ${kept}`,
  ];
}
