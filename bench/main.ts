/** Benchmarks: diskferry beside the programs that people use today, or beside an older revision of itself. */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command } from "commander";
import { formatSize, GiB, MiB } from "../src/bytes/units.ts";
import { countOption, sizeOption } from "../src/cli/options.ts";
import { buildCheckout, buildRevision, revisionName } from "./build.ts";
import { Images } from "./images.ts";
import { bounds, scaling } from "./macro/bounds.ts";
import type { Case, Workshop } from "./macro/case.ts";
import { conversions } from "./macro/conversions.ts";
import { measurePair, type Runner } from "./macro/pair.ts";
import { ALL_PROGRAMS, programPath } from "./macro/programs.ts";
import { openSwiftAccount, SWIFT_INSTALLED, type SwiftAccount } from "./macro/swift-account.ts";
import { uploads } from "./macro/uploads.ts";
import { type CaseResult, caseList, describe, machine, type Report, table } from "./report.ts";

const CASES: readonly Case[] = [...conversions, ...bounds, ...uploads, scaling];
/** Scripts by themselves, that print their own tables. */
const SCRIPTS: Readonly<Record<string, readonly string[]>> = {
  micro: ["micro/digest", "micro/codec", "micro/plan", "micro/sender"],
  daemon: ["daemon/load"],
};

const FULL = { size: 2 * GiB, runs: 5 } as const;
const QUICK = { size: 128 * MiB, runs: 1 } as const;
/** A quick run starts no further case this many seconds after it began, and so ends within two minutes. */
const QUICK_SECONDS = 80;
/** What is too long or too small to be of use in a quick run, unless it is named. */
const NOT_QUICK = ["scaling", "micro", "daemon"];
/** Room for all images, one output and the objects of one upload, by the size of a disk. */
const ROOM = 8;

interface Options {
  readonly quick?: true;
  readonly only?: readonly string[];
  readonly against?: string;
  readonly json?: string;
  readonly size?: number;
  readonly runs?: number;
  readonly images?: string;
}

const program = new Command("npm run bench --")
  .description("Measures diskferry beside the programs that people use today.")
  .option("--quick", `small disks (${formatSize(QUICK.size)}), one run of each; ends within two minutes`)
  .option("--only <name...>", "these cases alone")
  .option("--against <revision>", "measure beside this git revision of diskferry, not beside other programs")
  .option("--json <file>", "write the figures here too")
  .option("--size <bytes>", `size of the disks (default: ${formatSize(FULL.size)})`, sizeOption)
  .option("--runs <n>", `runs of each side, after a warm-up (default: ${FULL.runs})`, countOption)
  .option("--images <dir>", "directory for images and outputs (default: in memory where there is room)")
  .addHelpText(
    "after",
    `\nCases:\n${caseList(CASES)}\n  micro        digests, codecs and planning on one core; the sender on two\n  daemon       a daemon with 10,000 queued tasks: accepts, lists, watchers, memory`,
  );
const options = program.parse().opts<Options>();

const stopping = new AbortController();
for (const name of ["SIGINT", "SIGTERM"] as const) {
  process.once(name, () => stopping.abort(new Error("interrupted")));
}
await main(options, stopping.signal);

async function main(options: Options, signal: AbortSignal): Promise<void> {
  const wanted = selection(options);
  const cases = CASES.filter(({ name }) => wanted.has(name));
  if (cases.length > 0) await macro(cases, options, signal);
  for (const [name, files] of Object.entries(SCRIPTS)) {
    if (!wanted.has(name)) continue;
    for (const file of files) {
      if (signal.aborted) return;
      const path = join(import.meta.dirname, `${file}.bench.ts`);
      if (spawnSync(process.execPath, [path], { stdio: "inherit" }).status !== 0) process.exitCode = 1;
    }
  }
}

function selection({ only, quick }: Options): ReadonlySet<string> {
  const all = [...CASES.map(({ name }) => name), ...Object.keys(SCRIPTS)];
  const unknown = only?.find((name) => !all.includes(name));
  if (unknown !== undefined) program.error(`error: no case "${unknown}" (add --help for their names)`);
  return new Set(only ?? (quick ? all.filter((name) => !NOT_QUICK.includes(name)) : all));
}

async function macro(cases: readonly Case[], options: Options, signal: AbortSignal): Promise<void> {
  const { size, runs } = { ...(options.quick ? QUICK : FULL), ...definedOf(options) };
  const root = options.images ?? roomyDirectory(size * ROOM);
  const kept = join(
    options.images ?? join(root, "diskferry-bench-images"),
    formatSize(size).replace(" ", ""),
  );
  mkdirSync(root, { recursive: true });
  const scratch = mkdtempSync(join(root, "diskferry-bench-"));
  let account: Promise<SwiftAccount> | undefined;
  try {
    const workshop: Workshop = {
      images: new Images(kept, size),
      scratch,
      swift: () => {
        account ??= openSwiftAccount(scratch);
        return account;
      },
    };
    const runner = makeRunner(scratch, runs, options.against);
    const deadline = options.quick ? QUICK_SECONDS * 1000 : Number.POSITIVE_INFINITY;
    const results: CaseResult[] = [];
    for (const each of cases) {
      if (signal.aborted) break;
      const result = await runCase(each, workshop, runner, deadline, signal);
      process.stderr.write(`${describe(result)}\n`);
      if ("failed" in result) process.exitCode = 1;
      results.push(result);
    }
    const report: Report = {
      machine: machine(),
      revision: revisionName(),
      ...(options.against === undefined ? {} : { against: options.against }),
      size,
      runs,
      cases: results,
    };
    process.stdout.write(`\n${table(results)}\n`);
    const absent = ALL_PROGRAMS.filter((each) => programPath(each) === undefined);
    if (absent.length > 0) process.stdout.write(`\nNot installed, and left out: ${absent.join(", ")}.\n`);
    if (size < FULL.size) {
      process.stdout.write(`\nThe targets are meant for disks of ${formatSize(FULL.size)}.\n`);
    }
    if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(report, undefined, 2)}\n`);
  } finally {
    await (await account?.catch(() => undefined))?.[Symbol.asyncDispose]();
    rmSync(scratch, { recursive: true, force: true });
    process.stderr.write(`The images stay in ${kept} for the next run; remove them when you are done.\n`);
  }
}

function definedOf({ size, runs }: Options): { readonly size?: number; readonly runs?: number } {
  return { ...(size === undefined ? {} : { size }), ...(runs === undefined ? {} : { runs }) };
}

async function runCase(
  each: Case,
  workshop: Workshop,
  runner: Runner,
  deadline: number,
  signal: AbortSignal,
): Promise<CaseResult> {
  const { name, title, needs, targets } = each;
  const missing = needs.filter((need) =>
    need === "Swift" ? !SWIFT_INSTALLED : programPath(need) === undefined,
  );
  if (missing.length > 0) return { name, title, skipped: `not installed: ${missing.join(", ")}` };
  if (performance.now() > deadline) return { name, title, skipped: "the time of a quick run is up" };
  try {
    const pair = await each.prepare(workshop);
    return { name, title, ...(await measurePair(pair, targets, runner, signal)) };
  } catch (error) {
    return { name, title, failed: error instanceof Error ? error.message : String(error) };
  }
}

function makeRunner(scratch: string, runs: number, against: string | undefined): Runner {
  return {
    program: buildCheckout(join(scratch, "checkout")),
    ...(against === undefined
      ? {}
      : { against: { name: against, program: buildRevision(against, join(scratch, "revision")) } }),
    env: cleanEnvironment(scratch),
    scratch,
    runs,
  };
}

/** Without the caller's credentials, proxies and settings, which would lead elsewhere. */
function cleanEnvironment(scratch: string): NodeJS.ProcessEnv {
  const foreign = /^(AWS|OS|ST|OSS|RCLONE|SWIFT|S3)_|_proxy$/i;
  const kept = Object.entries(process.env).filter(([name]) => !foreign.test(name));
  return {
    ...Object.fromEntries(kept),
    XDG_CONFIG_HOME: join(scratch, "config"),
    XDG_STATE_HOME: join(scratch, "state"),
  };
}

/** In memory, so that no disk is measured, where both the file system and the machine have the room. */
function roomyDirectory(bytes: number): string {
  try {
    const { bavail, bsize } = statfsSync("/dev/shm");
    if (Math.min(bavail * bsize, process.availableMemory()) >= bytes) return "/dev/shm";
  } catch {
    // No such directory on this machine.
  }
  return tmpdir();
}
