import { describe, expect, it } from "vitest";
import { fairLanes, type Share } from "../../src/schedule/lanes.ts";
import { never } from "./harbour.ts";

/** Asks for lanes and notes who got one, in order. */
function asking() {
  const got: string[] = [];
  const leases: Disposable[] = [];
  return {
    got,
    leases,
    ask(name: string, share: Share, times = 1, memory = 1) {
      for (let n = 0; n < times; n += 1) {
        void share.lease(memory, never).then((lease) => {
          got.push(name);
          leases.push(lease);
        });
      }
    },
  };
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

describe("lanes", () => {
  it("all go to a run that is alone", async () => {
    const lanes = fairLanes({ lanes: 4, lanesOfOne: 4, memory: 100 });
    const { got, ask } = asking();
    ask("a", lanes.join(), 6);
    await settled();
    expect([got.length, lanes.inUse]).toEqual([4, { lanes: 4, memory: 4 }]);
  });

  it("go to whoever holds fewest, so that a late run gets as many as an early one", async () => {
    const lanes = fairLanes({ lanes: 4, lanesOfOne: 4, memory: 100 });
    const { got, leases, ask } = asking();
    ask("early", lanes.join(), 20);
    await settled();
    ask("late", lanes.join(), 20);
    for (let n = 0; n < 8; n += 1) {
      leases.shift()?.[Symbol.dispose]();
      await settled();
    }
    expect(got.slice(4)).toEqual(["late", "late", "early", "early", "late", "late", "early", "early"]);
  });

  it("are left to others by a run that never gives one back", async () => {
    const lanes = fairLanes({ lanes: 4, lanesOfOne: 3, memory: 100 });
    const { got, ask } = asking();
    ask("hung", lanes.join(), 9);
    await settled();
    ask("other", lanes.join(), 9);
    await settled();
    expect(got).toEqual(["hung", "hung", "hung", "other"]);
  });

  it("are left to others by all runs of a region whose store hangs", async () => {
    const lanes = fairLanes({ lanes: 4, lanesOfOne: 3, memory: 100 });
    const { got, leases, ask } = asking();
    using other = lanes.join(["north"]);
    ask("hung", lanes.join(["east"]), 9);
    ask("hung", lanes.join(["east", "west"]), 9);
    for (let turn = 0; turn < 3; turn += 1) {
      await settled();
      ask("other", other);
      await settled();
      leases.pop()?.[Symbol.dispose]();
    }
    expect(got).toEqual(["hung", "hung", "hung", "other", "other", "other"]);
  });

  it("all go to the runs of one region once those elsewhere have ended", async () => {
    const lanes = fairLanes({ lanes: 4, lanesOfOne: 3, memory: 100 });
    const { got, ask } = asking();
    const other = lanes.join(["north"]);
    for (const name of ["a", "b"]) ask(name, lanes.join(["east"]), 9);
    await settled();
    expect(got).toHaveLength(3);
    other[Symbol.dispose]();
    await settled();
    expect(got).toHaveLength(4);
  });

  it("pass nobody over among more runs than lanes", async () => {
    const lanes = fairLanes({ lanes: 2, lanesOfOne: 2, memory: 100 });
    const { got, leases, ask } = asking();
    const runs = ["a", "b", "c", "d", "e"].map((name) => ({ name, share: lanes.join() }));
    for (const { name, share } of [...runs, ...runs]) ask(name, share);
    for (let n = 0; n < 10; n += 1) {
      await settled();
      leases.shift()?.[Symbol.dispose]();
    }
    await settled();
    expect(got).toEqual(["a", "b", "c", "d", "e", "a", "b", "c", "d", "e"]);
  });

  it("never take more memory than there is, and starve nobody who needs much", async () => {
    const lanes = fairLanes({ lanes: 10, lanesOfOne: 10, memory: 10 });
    const { got, leases, ask } = asking();
    const small = lanes.join();
    ask("small", small, 8, 2);
    await settled();
    expect(lanes.inUse.memory).toBe(10);
    ask("large", lanes.join(), 1, 9);
    for (let n = 0; n < 5; n += 1) {
      leases.shift()?.[Symbol.dispose]();
      await settled();
      expect(lanes.inUse.memory).toBeLessThanOrEqual(10);
    }
    expect(got).toEqual([...Array(5).fill("small"), "large"]);
  });

  it("go to one that alone is more than there is, when no other is in use", async () => {
    const lanes = fairLanes({ lanes: 10, lanesOfOne: 10, memory: 10 });
    const { got, leases, ask } = asking();
    ask("small", lanes.join());
    ask("huge", lanes.join(), 1, 50);
    await settled();
    expect(got).toEqual(["small"]);
    leases.shift()?.[Symbol.dispose]();
    await settled();
    expect(got).toEqual(["small", "huge"]);
  });

  it("are not given to whoever has given up waiting, nor taken twice from whoever gives back twice", async () => {
    const lanes = fairLanes({ lanes: 1, lanesOfOne: 1, memory: 10 });
    const share = lanes.join();
    const first = await share.lease(1, never);
    const leaving = new AbortController();
    const left = share.lease(1, leaving.signal);
    const third = share.lease(1, never);
    leaving.abort(new Error("left"));
    await expect(left).rejects.toThrow("left");
    first[Symbol.dispose]();
    first[Symbol.dispose]();
    await third;
    expect(lanes.inUse).toEqual({ lanes: 1, memory: 1 });
  });
});
