import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fairRates, type RateRequest } from "../../src/schedule/rates.ts";

const run = (task: string, regions: string[], bandwidth = 0): RateRequest => ({ task, regions, bandwidth });
const rates = (requests: RateRequest[], limits: Record<string, number>) =>
  Object.fromEntries(fairRates(requests, new Map(Object.entries(limits))));

describe("the bandwidth of runs", () => {
  it("has no limit where nobody has set one", () => {
    expect(rates([run("a", ["east"])], { west: 100 })).toEqual({ a: 0 });
  });

  it("is the run's own limit, where that is less than its share", () => {
    expect(rates([run("a", ["east"], 10), run("b", ["east"])], { east: 100 })).toEqual({ a: 10, b: 90 });
  });

  it("is shared evenly in a region, whatever one run leaves going to the others", () => {
    const requests = [run("a", ["east"]), run("b", ["east"]), run("c", ["east", "west"])];
    expect(rates(requests, { east: 90, west: 10 })).toEqual({ a: 40, b: 40, c: 10 });
  });

  it("never exceeds a limit, and leaves no run without any", () => {
    const region = fc.constantFrom("r0", "r1", "r2", "r3").map(String);
    const requests = fc.array(
      fc.record({ regions: fc.uniqueArray(region, { maxLength: 2 }), bandwidth: fc.nat(10_000_000) }),
      { maxLength: 12 },
    );
    const limits = fc.dictionary(region, fc.integer({ min: 1000, max: 10_000_000 }));
    fc.assert(
      fc.property(requests, limits, (given, bounds) => {
        const all = given.map((one, index) => ({ ...one, task: String(index) }));
        const found = fairRates(all, new Map(Object.entries(bounds)));
        const rateOf = ({ task }: RateRequest) => found.get(task) ?? Number.NaN;
        for (const one of all) {
          const limited = one.bandwidth > 0 || one.regions.some((name) => bounds[name] !== undefined);
          expect(rateOf(one) > 0).toBe(limited);
          if (one.bandwidth > 0) expect(rateOf(one)).toBeLessThanOrEqual(one.bandwidth);
        }
        for (const [name, most] of Object.entries(bounds)) {
          const inside = all.filter(({ regions }) => regions.includes(name));
          const sum = inside.reduce((total, one) => total + rateOf(one), 0);
          expect(sum).toBeLessThanOrEqual(most * (1 + 1e-9) + inside.length);
          // Max-min: whoever has less than its fair share is held by another limit.
          for (const one of inside) {
            const held =
              rateOf(one) === one.bandwidth || one.regions.some((other) => other !== name && bounds[other]);
            if (!held) expect(rateOf(one)).toBeGreaterThanOrEqual((most / inside.length) * (1 - 1e-9));
          }
        }
      }),
    );
  });
});
