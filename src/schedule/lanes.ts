/**
 * Lanes and memory of all runs together. Whoever holds fewest lanes gets the next one: with ten runs on eight lanes each
 * run gets its turn. One run never gets all of them, nor do the runs of one region while others are at work elsewhere:
 * those whose store hangs leave some to others. A lane is kept until its slot has landed, so that a run whose later slots
 * wait for an earlier one never has to stand in line for that one again.
 */

export interface Lanes {
  /** A run's place among the others, until it is disposed. @param regions those that it takes part in */
  join(regions?: readonly string[]): Share;
  readonly inUse: { readonly lanes: number; readonly memory: number };
}

export interface Share extends Disposable {
  /**
   * A lane, in the order in which the share has asked; given back by disposing it.
   * @param memory bytes that it may take. One that alone is more than the budget is given when no other is in use.
   */
  lease(memory: number, signal: AbortSignal): Promise<Disposable>;
}

interface Asked {
  readonly memory: number;
  grant(lease: Disposable): void;
}

interface Line {
  readonly regions: readonly string[];
  held: number;
  /** When it last got a lane, counted in grants. */
  last: number;
  readonly waiting: Asked[];
}

export interface LaneLimits {
  readonly lanes: number;
  /** Of one run; and of all runs of one region together, as long as there are others elsewhere. */
  readonly lanesOfOne: number;
  /** Bytes. */
  readonly memory: number;
}

export function fairLanes({ lanes: most, lanesOfOne, memory }: LaneLimits): Lanes {
  const lines = new Set<Line>();
  let lanes = 0;
  let taken = 0;
  let grants = 0;

  const grant = (): void => {
    while (lanes < most) {
      const line = neediest(lines, lanesOfOne);
      const asked = line?.waiting[0];
      if (line === undefined || asked === undefined) return;
      // Nobody is passed over because he needs much: he would starve while others go on with little.
      if (lanes > 0 && taken + asked.memory > memory) return;
      line.waiting.shift();
      grants += 1;
      line.held += 1;
      line.last = grants;
      lanes += 1;
      taken += asked.memory;
      asked.grant(lease(line, asked.memory));
    }
  };

  const lease = (line: Line, bytes: number): Disposable => {
    let given = true;
    return {
      [Symbol.dispose]() {
        if (!given) return;
        given = false;
        line.held -= 1;
        lanes -= 1;
        taken -= bytes;
        grant();
      },
    };
  };

  return {
    join(regions = []) {
      const line: Line = { regions, held: 0, last: 0, waiting: [] };
      lines.add(line);
      return {
        async lease(bytes, signal) {
          signal.throwIfAborted();
          const { promise, resolve, reject } = Promise.withResolvers<Disposable>();
          const asked: Asked = { memory: bytes, grant: resolve };
          const giveUp = (): void => {
            const at = line.waiting.indexOf(asked);
            if (at === -1) return;
            line.waiting.splice(at, 1);
            reject(signal.reason);
            grant();
          };
          signal.addEventListener("abort", giveUp, { once: true });
          line.waiting.push(asked);
          grant();
          try {
            return await promise;
          } finally {
            signal.removeEventListener("abort", giveUp);
          }
        },
        [Symbol.dispose]() {
          lines.delete(line);
          grant();
        },
      };
    },
    get inUse() {
      return { lanes, memory: taken };
    },
  };
}

/** Of those who may have one more: who holds fewest, and of these, who has waited longest since the last grant. */
function neediest(lines: ReadonlySet<Line>, most: number): Line | undefined {
  const full = fullRegions(lines, most);
  let found: Line | undefined;
  for (const line of lines) {
    if (line.waiting.length === 0 || line.held >= most) continue;
    if (line.regions.some((region) => full.has(region))) continue;
    const first = found === undefined || line.held < found.held;
    if (first || (line.held === found?.held && line.last < found.last)) found = line;
  }
  return found;
}

/** Regions that have as many lanes as they may while there are runs elsewhere. */
function fullRegions(lines: ReadonlySet<Line>, most: number): ReadonlySet<string> {
  const held = new Map<string, number>();
  for (const line of lines) {
    for (const region of line.regions) held.set(region, (held.get(region) ?? 0) + line.held);
  }
  const isElsewhere = (region: string): boolean =>
    [...lines].some(({ regions }) => !regions.includes(region));
  return new Set(
    [...held].flatMap(([region, count]) => (count >= most && isElsewhere(region) ? [region] : [])),
  );
}
