import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Fault } from "../../src/fault/fault.ts";
import { DEFAULT_RETRY, type RetryPolicy, withRetry } from "../../src/flow/retry.ts";

const never = new AbortController().signal;

/** Waits that take no time, so that what is tested is how long they would be. */
const policy = (random: number, more: Partial<RetryPolicy> = {}): RetryPolicy => ({
  attempts: 6,
  baseMs: 200,
  maxMs: 1000,
  random: () => random,
  ...more,
});

const sleeps = vi.hoisted(() => [] as number[]);
const hold = vi.hoisted(() => ({ started: undefined as (() => void) | undefined }));

vi.mock("node:timers/promises", () => ({
  setTimeout: (ms: number, _value: unknown, { signal }: { signal: AbortSignal }) => {
    sleeps.push(ms);
    const { started } = hold;
    if (started === undefined) return Promise.resolve();
    return new Promise((_done, fail) => {
      signal.addEventListener("abort", () => fail(signal.reason), { once: true });
      started();
    });
  },
}));

beforeEach(() => {
  sleeps.length = 0;
});
afterEach(() => {
  hold.started = undefined;
});

function failing(times: number, fault: Fault) {
  let calls = 0;
  return {
    calls: () => calls,
    work: async ({ number }: { number: number }) => {
      calls += 1;
      expect(number).toBe(calls);
      if (calls <= times) throw fault;
      return `after ${calls}`;
    },
  };
}

describe("retry", () => {
  it("repeats what may pass, and waits a random share of a bound that doubles up to a maximum", async () => {
    const { work } = failing(5, new Fault("NETWORK", "cut"));
    const told: number[] = [];
    const result = await withRetry("x", policy(0.5), work, never, (_fault, waitMs) => told.push(waitMs));
    expect(result).toBe("after 6");
    expect(sleeps).toEqual([100, 200, 400, 500, 500]);
    expect(told).toEqual(sleeps);
  });

  it("gives up when the attempts are spent, with the last fault", async () => {
    const fault = new Fault("STORE_UNAVAILABLE", "503");
    const { work, calls } = failing(99, fault);
    await expect(withRetry("x", policy(0), work, never)).rejects.toBe(fault);
    expect([calls(), sleeps.length]).toEqual([6, 5]);
  });

  it("does not repeat what cannot pass", async () => {
    for (const code of ["PERMISSION", "IMAGE_CORRUPT", "NO_SPACE", "INTERNAL", "CANCELED"] as const) {
      const { work, calls } = failing(1, new Fault(code, "no"));
      await expect(withRetry("x", policy(0), work, never)).rejects.toMatchObject({ code });
      expect(calls()).toBe(1);
    }
    expect(sleeps).toEqual([]);
  });

  it("turns other errors into faults that name what was being done", async () => {
    const work = () => Promise.reject(Object.assign(new Error("read ECONNRESET"), { code: "ECONNRESET" }));
    await expect(withRetry("s3://b/k", policy(0, { attempts: 2 }), work, never)).rejects.toMatchObject({
      code: "NETWORK",
      message: "s3://b/k: read ECONNRESET",
    });
    expect(sleeps.length).toBe(1);
  });

  it("waits as long as the server asked, up to a minute, and never shorter than its own wait", async () => {
    const wait = async (retryAfterMs: number) => {
      const { work } = failing(1, new Fault("THROTTLED", "slow", { retryAfterMs }));
      await withRetry("x", policy(0.5), work, never);
      return sleeps.pop();
    };
    expect(await wait(7_000)).toBe(7_000);
    expect(await wait(3_600_000)).toBe(60_000);
    expect(await wait(1)).toBe(100);
    expect(await wait(-5)).toBe(100);
  });

  it("wakes from its wait when it is aborted", async () => {
    const controller = new AbortController();
    hold.started = () => controller.abort(new Fault("CANCELED", "stopped by the user"));
    const { work, calls } = failing(9, new Fault("NETWORK", "cut"));
    await expect(withRetry("x", policy(0.5), work, controller.signal)).rejects.toMatchObject({
      code: "CANCELED",
      message: "stopped by the user",
    });
    expect(calls()).toBe(1);
  });

  it("says that it was aborted, not what the aborted work complained of", async () => {
    const controller = new AbortController();
    const work = async () => {
      controller.abort();
      throw new Fault("NETWORK", "socket closed");
    };
    await expect(withRetry("x", policy(0), work, controller.signal)).rejects.toMatchObject({
      code: "CANCELED",
    });
    await expect(withRetry("x", policy(0), work, controller.signal)).rejects.toThrow();
  });

  it("by default waits for 6.2 seconds in all at the most", () => {
    const { attempts, baseMs, maxMs } = DEFAULT_RETRY;
    let most = 0;
    for (let i = 0; i < attempts - 1; i += 1) most += Math.min(maxMs, baseMs * 2 ** i);
    expect([attempts, most]).toEqual([6, 6200]);
  });
});
