import pLimit from "p-limit";
import { describe, expect, it } from "vitest";
import { eachOf } from "../../src/flow/each-of.ts";

const never = new AbortController().signal;

/** Work that ends when the test says so. */
function gated() {
  const started: number[] = [];
  const gates = new Map<number, PromiseWithResolvers<void>>();
  let change = Promise.withResolvers<void>();
  return {
    started,
    running: () => gates.size,
    work: async (item: number): Promise<void> => {
      const gate = Promise.withResolvers<void>();
      gates.set(item, gate);
      started.push(item);
      change.resolve();
      change = Promise.withResolvers<void>();
      await gate.promise.finally(() => gates.delete(item));
    },
    finish: (item: number) => gates.get(item)?.resolve(),
    fail: (item: number, error: unknown) => gates.get(item)?.reject(error),
    /** Resolves when `count` items have been started. */
    async reached(count: number): Promise<void> {
      while (started.length < count) await change.promise;
    },
  };
}

/** Lets everything that is ready run. */
const settled = (): Promise<void> => new Promise((done) => setImmediate(() => setImmediate(done)));

describe("a bounded run over items", () => {
  it("takes the next item only when a lane is free", async () => {
    const lanes = gated();
    let taken = 0;
    function* items() {
      for (let i = 0; i < 6; i += 1) {
        taken += 1;
        yield i;
      }
    }
    const done = eachOf(items(), pLimit(2), lanes.work, never);
    await lanes.reached(2);
    await settled();
    expect([taken, lanes.started]).toEqual([2, [0, 1]]);
    lanes.finish(1);
    await lanes.reached(3);
    await settled();
    expect([taken, lanes.started]).toEqual([3, [0, 1, 2]]);
    for (const item of [0, 2, 3, 4, 5]) {
      await lanes.reached(item + 1);
      lanes.finish(item);
    }
    await done;
    expect(lanes.started).toEqual([0, 1, 2, 3, 4, 5]);
  });

  it("keeps the first error, takes nothing more, and ends when all running work has settled", async () => {
    const lanes = gated();
    const first = new Error("first");
    let over = false;
    const done = eachOf([0, 1, 2, 3, 4], pLimit(3), lanes.work, never).finally(() => {
      over = true;
    });
    const caught = done.catch((error: unknown) => error);
    await lanes.reached(3);
    lanes.fail(1, first);
    await settled();
    expect([over, lanes.started]).toEqual([false, [0, 1, 2]]);
    lanes.fail(0, new Error("second"));
    await settled();
    expect(over).toBe(false);
    lanes.finish(2);
    expect(await caught).toBe(first);
    expect([lanes.running(), lanes.started.length]).toEqual([0, 3]);
  });

  it("ends with the abort's reason, after running work has settled", async () => {
    const lanes = gated();
    const controller = new AbortController();
    const reason = new Error("enough");
    const caught = eachOf([0, 1, 2], pLimit(1), lanes.work, controller.signal).catch(
      (error: unknown) => error,
    );
    await lanes.reached(1);
    controller.abort(reason);
    lanes.finish(0);
    expect(await caught).toBe(reason);
    expect(lanes.started).toEqual([0]);
  });

  it("hands on an error of the items themselves, once running work has settled", async () => {
    const lanes = gated();
    const broken = new Error("no more items");
    function* items() {
      yield 0;
      throw broken;
    }
    let over = false;
    const caught = eachOf(items(), pLimit(4), lanes.work, never)
      .catch((error: unknown) => error)
      .finally(() => {
        over = true;
      });
    await lanes.reached(1);
    await settled();
    expect(over).toBe(false);
    lanes.finish(0);
    expect(await caught).toBe(broken);
  });

  it("widens while it runs", async () => {
    const lanes = gated();
    const limit = pLimit(1);
    const done = eachOf([0, 1, 2, 3], limit, lanes.work, never);
    await lanes.reached(1);
    limit.concurrency = 3;
    lanes.finish(0);
    await lanes.reached(4);
    expect(lanes.running()).toBe(3);
    for (const item of [1, 2, 3]) lanes.finish(item);
    await done;
  });

  it("of nothing is over at once", async () => {
    await eachOf([], pLimit(1), () => Promise.reject(new Error("never called")), never);
  });
});
