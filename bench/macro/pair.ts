/** Measures both sides of a case in turn, so that what disturbs the machine disturbs both. */
import { rmSync, statSync } from "node:fs";
import { GiB } from "../../src/bytes/units.ts";
import type { Command, Measure, Pair, Side, Target } from "./case.ts";
import { measure, type Usage } from "./measure.ts";
import { programPath } from "./programs.ts";

export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** Seconds and bytes. */
export interface Measured {
  readonly name: string;
  readonly wall: Spread;
  readonly cpu: Spread;
  readonly rss: Spread;
  /** Bytes that went to sockets and files, as diskferry itself tells. */
  readonly sent?: number;
  /** Bytes of the resulting file. */
  readonly size?: number;
  readonly cpuPerGiB?: number;
}

export interface Outcome extends Target {
  readonly measured: number;
  readonly met: boolean;
}

export interface PairResult {
  readonly ours: Measured;
  /** The best of them. */
  readonly theirs?: Measured;
  /** The others. */
  readonly others?: readonly Measured[];
  /** Their wall time by ours, pair by pair: above 1, ours is faster. */
  readonly ratio?: Spread;
  readonly targets?: readonly Outcome[];
}

export interface Runner {
  /** The build of diskferry for our side. */
  readonly program: readonly string[];
  /** An older build, which then stands on the other side of every case. */
  readonly against?: { readonly name: string; readonly program: readonly string[] };
  readonly env: NodeJS.ProcessEnv;
  readonly scratch: string;
  readonly runs: number;
}

interface Run extends Usage {
  readonly sent?: number;
  readonly size?: number;
}

interface Row {
  readonly side: Side;
  readonly program: readonly string[];
  readonly runs: Run[];
}

/** One warm-up of each side, then `runs` rounds of all sides. */
export async function measurePair(
  pair: Pair,
  targets: readonly Target[],
  runner: Runner,
  signal: AbortSignal,
): Promise<PairResult> {
  const ours: Row = { side: pair.ours, program: runner.program, runs: [] };
  const theirs = opponents(pair, runner);
  for (let round = 0; round <= runner.runs; round += 1) {
    for (const row of [ours, ...theirs]) {
      await pair.clear?.();
      const run = await runSide(row, runner, signal);
      if (round > 0) row.runs.push(run);
    }
  }
  await pair.clear?.();
  const times = runner.against === undefined ? (pair.times ?? 1) : 1;
  const [best, ...others] = theirs.toSorted((a, b) => middle(a, pair.by) - middle(b, pair.by));
  const judged =
    runner.against === undefined ? targets : targets.filter((each) => each.measure === "seconds");
  const outcomes = judged.flatMap((target) => {
    const measured = take(target.measure, ours, best, times);
    if (measured === undefined) return [];
    const met = target.bound === "at least" ? measured >= target.value : measured <= target.value;
    return [{ ...target, measured, met }];
  });
  const show = (row: Row) => summary(row, pair.uploaded);
  return {
    ours: show(ours),
    ...(best === undefined ? {} : { theirs: show(best), ratio: spread(speeds(ours, best, times)) }),
    ...(others.length === 0 ? {} : { others: others.map(show) }),
    ...(outcomes.length === 0 ? {} : { targets: outcomes }),
  };
}

function opponents(pair: Pair, { against, program }: Runner): Row[] {
  if (against !== undefined) {
    return [{ side: { ...pair.ours, name: against.name }, program: against.program, runs: [] }];
  }
  return pair.theirs.filter(isInstalled).map((side) => ({ side, program, runs: [] }));
}

function isInstalled({ commands }: Side): boolean {
  return commands.every(({ program }) => program === "diskferry" || programPath(program) !== undefined);
}

async function runSide({ side, program }: Row, runner: Runner, signal: AbortSignal): Promise<Run> {
  const leave = () => {
    for (const path of [side.between, side.output]) if (path !== undefined) rmSync(path, { force: true });
  };
  leave();
  try {
    const total = { wall: 0, cpu: 0, rss: 0 };
    let sent: number | undefined;
    for (const command of side.commands) {
      const env = { ...runner.env, ...command.env };
      const line = [...starter(command, program), ...command.args];
      const { usage, stdout } = await measure(line, env, runner.scratch, signal);
      total.wall += usage.wall;
      total.cpu += usage.cpu;
      total.rss = Math.max(total.rss, usage.rss);
      if (command.program === "diskferry") sent = sentBytes(stdout);
    }
    const size = side.output === undefined ? undefined : statSync(side.output).size;
    return { ...total, ...(sent === undefined ? {} : { sent }), ...(size === undefined ? {} : { size }) };
  } finally {
    leave();
  }
}

function starter({ program }: Command, ours: readonly string[]): readonly string[] {
  return program === "diskferry" ? ours : [programPath(program) ?? program];
}

/** From the event `done`, if there is one. */
function sentBytes(stdout: string): number | undefined {
  const line = stdout.split("\n").find((text) => text.startsWith('{"event":"done"'));
  if (line === undefined) return undefined;
  const { sent } = JSON.parse(line) as { readonly sent?: number };
  return sent;
}

function speeds(ours: Row, theirs: Row, times: number): number[] {
  return ours.runs.map((run, index) => ((theirs.runs[index]?.wall ?? Number.NaN) * times) / run.wall);
}

/** undefined where there is nothing to compare with. */
function take(wanted: Measure, ours: Row, theirs: Row | undefined, times: number): number | undefined {
  if (wanted === "seconds") return middle(ours, "wall");
  if (theirs === undefined) return undefined;
  if (wanted === "speed") return median(speeds(ours, theirs, times));
  if (wanted === "cpu") {
    return median(ours.runs.map((run, index) => run.cpu / (theirs.runs[index]?.cpu ?? Number.NaN)));
  }
  const [our, their] = [ours.runs.at(-1)?.size, theirs.runs.at(-1)?.size];
  return our === undefined || their === undefined ? undefined : our / their;
}

function summary({ side, runs }: Row, uploaded: number | undefined): Measured {
  const { sent, size } = runs.at(-1) ?? {};
  const cpu = spread(runs.map((run) => run.cpu));
  return {
    name: side.name,
    wall: spread(runs.map((run) => run.wall)),
    cpu,
    rss: spread(runs.map((run) => run.rss)),
    ...(sent === undefined ? {} : { sent }),
    ...(size === undefined ? {} : { size }),
    ...(uploaded === undefined ? {} : { cpuPerGiB: cpu.median / (uploaded / GiB) }),
  };
}

function middle({ runs }: Row, what: "wall" | "cpu"): number {
  return median(runs.map((run) => run[what]));
}

function spread(values: readonly number[]): Spread {
  return { median: median(values), min: Math.min(...values), max: Math.max(...values) };
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const half = sorted.length >> 1;
  const high = sorted[half] ?? Number.NaN;
  return sorted.length % 2 === 1 ? high : ((sorted[half - 1] ?? high) + high) / 2;
}
