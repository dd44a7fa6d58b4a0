/** The numbers of progress and of cancelling: FJ-27 to FJ-32, D1, D2. */

/** What progress says at each step of a run (D2). */
export const PROGRESS = {
  queued: 0,
  opening: 1,
  planning: 5,
  /** The plan stands: the first data may move. */
  planned: 10,
  /** All data is committed. */
  data: 95,
  sealing: 96,
  committing: 97,
  verifying: 98,
  cataloguing: 99,
  succeeded: 100,
} as const;

/** Progress of the data stage: 10 + ⌊85 × committed ∕ total⌋, exact for any sizes. */
export function dataProgress(committed: number, total: number): number {
  if (committed >= total) return PROGRESS.data;
  const percent = (BigInt(PROGRESS.data - PROGRESS.planned) * BigInt(committed)) / BigInt(total);
  return PROGRESS.planned + Number(percent);
}

/** Where a running task stops when a cancel is accepted. `here`: as soon as possible, without getting further. */
const BANDS: readonly { readonly upTo: number; readonly stopAt: number | "here"; readonly rule: string }[] = [
  { upTo: 10, stopAt: "here", rule: "FJ-28" },
  { upTo: 40, stopAt: 40, rule: "FJ-29" },
  { upTo: 70, stopAt: 70, rule: "FJ-30" },
  { upTo: 95, stopAt: 95, rule: "FJ-31" },
  { upTo: 96, stopAt: "here", rule: "D1" },
];

/** Undefined once the commit has begun: then nothing stops the task any more (D1). */
export function stopLine(progress: number): number | undefined {
  const band = BANDS.find(({ upTo }) => progress <= upTo);
  return band?.stopAt === "here" ? progress : band?.stopAt;
}
