/** How fast each run may go: limits of tasks, and limits of regions that their runs share. */

export interface RateRequest {
  readonly task: string;
  readonly regions: readonly string[];
  /** Bytes per second; 0: no limit of its own. */
  readonly bandwidth: number;
}

/**
 * Max-min fair: all runs go up together, until a run meets its own limit, or a region of it is full; the others go on.
 * Bytes per second for each run; 0: no limit.
 * @param limits bytes per second of all runs of a region together; regions that are not named have none
 */
export function fairRates(
  requests: readonly RateRequest[],
  limits: ReadonlyMap<string, number>,
): ReadonlyMap<string, number> {
  const rates = new Map<string, number>();
  const left = new Map(limits);
  let open = [...requests];
  while (open.length > 0) {
    const shares = sharesOf(open, left);
    const level = Math.min(...open.map((request) => ceilingOf(request, shares)));
    if (level === Number.POSITIVE_INFINITY) {
      for (const { task } of open) rates.set(task, 0);
      break;
    }
    const met = open.filter((request) => ceilingOf(request, shares) <= level);
    for (const { task, regions } of met) {
      // 0 would lift the limit.
      rates.set(task, Math.max(1, level));
      for (const region of regions) {
        const rest = left.get(region);
        if (rest !== undefined) left.set(region, Math.max(0, rest - level));
      }
    }
    open = open.filter((request) => !met.includes(request));
  }
  return rates;
}

/** What each limited region has for each of its open runs. */
function sharesOf(
  open: readonly RateRequest[],
  left: ReadonlyMap<string, number>,
): ReadonlyMap<string, number> {
  const shares = new Map<string, number>();
  for (const [region, rest] of left) {
    const count = open.filter(({ regions }) => regions.includes(region)).length;
    if (count > 0) shares.set(region, rest / count);
  }
  return shares;
}

function ceilingOf({ regions, bandwidth }: RateRequest, shares: ReadonlyMap<string, number>): number {
  const own = bandwidth === 0 ? Number.POSITIVE_INFINITY : bandwidth;
  return Math.min(own, ...regions.map((region) => shares.get(region) ?? Number.POSITIVE_INFINITY));
}
