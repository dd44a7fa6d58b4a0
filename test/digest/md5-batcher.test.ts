import { createHash } from "node:crypto";
import { setImmediate as turn } from "node:timers/promises";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { Md5Batcher, type Md5Seat } from "../../src/digest/md5-batcher.ts";
import { Md5 } from "../../src/digest/md5-lanes.ts";
import { noise } from "./noise.ts";

const PATIENCE_MS = 50;

function md5(bytes: Uint8Array): string {
  return createHash("md5").update(bytes).digest("hex");
}

/** Several turns of the event loop: all that can happen without a timer happens. */
async function turns(): Promise<void> {
  for (let n = 0; n < 5; n += 1) await turn();
}

/** Tells whether a promise has settled by now. */
function watch(promise: void | Promise<void>): { settled: boolean } {
  const state = { settled: promise === undefined };
  void promise?.then(() => {
    state.settled = true;
  });
  return state;
}

test("any number of streams, cut anyhow and held for any length, each get their own digest", async () => {
  const stream = fc.record({
    cuts: fc.array(fc.nat({ max: 700 }), { maxLength: 12 }),
    held: fc.nat({ max: 3 }),
    turns: fc.nat({ max: 3 }),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(stream, { maxLength: 11 }), async (streams) => {
      const batcher = new Md5Batcher();
      const digests = streams.map(async ({ cuts, held, turns }, number) => {
        const seat = batcher.seat();
        const whole = noise(
          cuts.reduce((sum, cut) => sum + cut, 0),
          number + 1,
        );
        let at = 0;
        for (const cut of cuts) {
          seat.hold(whole.subarray(at, at + cut));
          at += cut;
          for (let n = 0; n < turns; n += 1) await turn();
          await seat.settle(held);
        }
        await seat.settle(0);
        expect(seat.digest()).toBe(md5(whole));
      });
      await Promise.all(digests);
    }),
    { numRuns: 60 },
  );
});

describe("with the clock standing still", () => {
  const together: number[] = [];
  let batcher: Md5Batcher;
  let [a, b]: Md5Seat[] = [];

  beforeEach(() => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    together.length = 0;
    const update = Md5.update;
    vi.spyOn(Md5, "update").mockImplementation((updates) => {
      together.push(updates.length);
      update(updates);
    });
    batcher = new Md5Batcher();
    a = batcher.seat();
    b = batcher.seat();
  });

  afterEach(() => {
    vi.restoreAllMocks();
    vi.useRealTimers();
  });

  const bytes = noise(1000, 7);

  test("a lone stream waits for nobody", async () => {
    a?.hold(bytes);
    await a?.settle(0);
    expect(together).toEqual([1]);
  });

  test("what may wait is not hashed", async () => {
    a?.hold(bytes);
    expect(a?.settle(1)).toBeUndefined();
    await turns();
    expect(together).toEqual([]);
  });

  test("bytes that others hold are hashed with those that are needed, the oldest of each", async () => {
    b?.hold(bytes.subarray(0, 500));
    b?.hold(bytes.subarray(500));
    a?.hold(bytes);
    await a?.settle(0);
    expect(together).toEqual([2]);
    await b?.settle(0);
    expect(together).toEqual([2, 1]);
    expect([a?.digest(), b?.digest()]).toEqual([md5(bytes), md5(bytes)]);
  });

  test("a stream whose bytes are on their way is waited for, until it comes back with more", async () => {
    b?.hold(bytes);
    a?.hold(bytes);
    await a?.settle(0);
    a?.hold(bytes);
    const waiting = watch(a?.settle(0));
    await turns();
    expect(waiting.settled).toBe(false);
    expect(b?.settle(1)).toBeUndefined();
    b?.hold(bytes);
    await turns();
    expect(waiting.settled).toBe(true);
    expect(together).toEqual([2, 2]);
  });

  test("a stream that reads is not waited for", async () => {
    b?.hold(bytes);
    await b?.settle(0);
    a?.hold(bytes);
    await a?.settle(0);
    expect(together).toEqual([1, 1]);
  });

  test("a stream that does not come back is waited for once", async () => {
    b?.hold(bytes);
    a?.hold(bytes);
    await a?.settle(0);
    a?.hold(bytes);
    const waiting = watch(a?.settle(0));
    await turns();
    expect(waiting.settled).toBe(false);
    vi.advanceTimersByTime(PATIENCE_MS);
    await turns();
    expect(waiting.settled).toBe(true);
    a?.hold(bytes);
    await a?.settle(0);
    expect(together).toEqual([2, 1, 1]);
    b?.hold(bytes);
    await b?.settle(0);
    expect(b?.digest()).toBe(md5(Buffer.concat([bytes, bytes])));
  });
});
