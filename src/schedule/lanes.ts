/**
 * Lanes and memory of all runs together. Whoever holds fewest lanes gets the next one: with ten runs on eight lanes each
 * run gets its turn. One run never gets all of them, so that those whose store hangs leave some to others. A lane is kept until its slot has landed, so that a run whose
 * later slots wait for an earlier one never has to stand in line for that one again.
 */

export interface Lanes {
  /** A run's place among the others. */
  join(): Share;
  readonly inUse: { readonly lanes: number; readonly memory: number };
}

export interface Share {
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
  held: number;
  /** When it last got a lane, counted in grants. */
  last: number;
  readonly waiting: Asked[];
}

export interface LaneLimits {
  readonly lanes: number;
  /** Of one run. */
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
        if (line.held === 0 && line.waiting.length === 0) lines.delete(line);
        grant();
      },
    };
  };

  return {
    join() {
      const line: Line = { held: 0, last: 0, waiting: [] };
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
          lines.add(line);
          grant();
          try {
            return await promise;
          } finally {
            signal.removeEventListener("abort", giveUp);
          }
        },
      };
    },
    get inUse() {
      return { lanes, memory: taken };
    },
  };
}

/** Of those who wait: who holds fewest, and of these, who has waited longest since the last grant. */
function neediest(lines: Iterable<Line>, most: number): Line | undefined {
  let found: Line | undefined;
  for (const line of lines) {
    if (line.waiting.length === 0 || line.held >= most) continue;
    const first = found === undefined || line.held < found.held;
    if (first || (line.held === found?.held && line.last < found.last)) found = line;
  }
  return found;
}
