/** What a run found: a table for people, JSON for machines. */
import { arch, cpus, release, totalmem } from "node:os";
import { formatSize } from "../src/bytes/units.ts";
import type { Case } from "./macro/case.ts";
import { ACCOUNTING } from "./macro/measure.ts";
import type { Measured, Outcome, PairResult } from "./macro/pair.ts";
import { ALL_PROGRAMS, programVersion } from "./macro/programs.ts";

/** A case is measured, or skipped for want of something, or failed. */
export type CaseResult = { readonly name: string; readonly title: string } & (
  | PairResult
  | { readonly skipped: string }
  | { readonly failed: string }
);

export interface Report {
  readonly machine: ReturnType<typeof machine>;
  readonly revision: string;
  readonly against?: string;
  /** Bytes of the disks. */
  readonly size: number;
  readonly runs: number;
  readonly cases: readonly CaseResult[];
}

export function machine() {
  return {
    processor: cpus()[0]?.model ?? arch(),
    cores: cpus().length,
    memory: totalmem(),
    kernel: release(),
    node: process.version,
    accounting: ACCOUNTING,
    programs: Object.fromEntries(
      ALL_PROGRAMS.map((program) => [program, programVersion(program) ?? "not installed"]),
    ),
  };
}

/** One line, printed when a case has ended. */
export function describe(result: CaseResult): string {
  if ("skipped" in result) return `${result.title}: skipped, ${result.skipped}`;
  if ("failed" in result) return `${result.title}: FAILED, ${result.failed}`;
  const sides = [result.ours, result.theirs].filter((side) => side !== undefined);
  return `${result.title}: ${sides.map(({ name, wall }) => `${name} ${seconds(wall.median)}`).join(", ")}`;
}

/** The table, and below it what was skipped or has failed. */
export function table(results: readonly CaseResult[]): string {
  const header = ["case", "", "wall s (min to max)", "CPU s", "peak", "sent", "ratio (min to max)", "target"];
  const rows = [header, ...results.flatMap(rowsOf)];
  const widths = header.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const lines = rows.map((row) =>
    widths
      .map((width, column) => (row[column] ?? "").padEnd(width))
      .join("  ")
      .trimEnd(),
  );
  const rest = results.filter((result) => !("ours" in result)).map(describe);
  return [...lines, ...(rest.length > 0 ? ["", ...rest] : [])].join("\n");
}

function rowsOf(result: CaseResult): string[][] {
  if (!("ours" in result)) return [];
  const { ours, theirs, others = [], ratio, targets = [] } = result;
  const speed =
    ratio === undefined ? "" : `${number(ratio.median)} (${number(ratio.min)} to ${number(ratio.max)})`;
  const first = [result.title, ...sideCells(ours), speed, targets.map(outcome).join("; ")];
  const following = [theirs, ...others].filter((side) => side !== undefined);
  return [first, ...following.map((side) => ["", ...sideCells(side)])];
}

function sideCells({ name, wall, cpu, rss, sent, cpuPerGiB }: Measured): string[] {
  return [
    name,
    `${number(wall.median)} (${number(wall.min)} to ${number(wall.max)})`,
    number(cpu.median) + (cpuPerGiB === undefined ? "" : `, ${number(cpuPerGiB)} a GiB`),
    formatSize(rss.median),
    sent === undefined ? "" : formatSize(sent),
  ];
}

const NAMES = {
  speed: "ratio",
  cpu: "CPU by theirs",
  size: "size by theirs",
  seconds: "seconds",
} as const;

function outcome({ measure, bound, value, measured, met }: Outcome): string {
  return `${NAMES[measure]} ${bound} ${value}: ${number(measured, 3)}, ${met ? "met" : "MISSED"}`;
}

/** What cases there are, for the help text. */
export function caseList(cases: readonly Case[]): string {
  const width = Math.max(...cases.map(({ name }) => name.length));
  return cases.map(({ name, title }) => `  ${name.padEnd(width)}  ${title}`).join("\n");
}

function number(value: number, digits = 2): string {
  return value.toFixed(digits);
}

function seconds(value: number): string {
  return `${number(value)} s`;
}
