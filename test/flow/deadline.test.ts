import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { withDeadline } from "../../src/flow/deadline.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const never = new AbortController().signal;

/** Work that ends only when its signal fires. */
const untilAborted = (signal: AbortSignal): Promise<never> =>
  new Promise((_done, fail) => {
    if (signal.aborted) fail(signal.reason);
    signal.addEventListener("abort", () => fail(signal.reason), { once: true });
  });

describe("a deadline", () => {
  it("ends work that takes too long, and says for how long it was waited", async () => {
    const caught = withDeadline("asking swift", 5_000, never, untilAborted).catch((error: unknown) => error);
    await vi.advanceTimersByTimeAsync(4_999);
    expect(vi.getTimerCount()).toBe(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(await caught).toMatchObject({
      code: "TIMEOUT",
      message: "asking swift: no answer within 5 s",
      details: { timeoutMs: 5000 },
    });
  });

  it("stands also when the work hides the reason", async () => {
    const work = (signal: AbortSignal) =>
      untilAborted(signal).catch(() => Promise.reject(new Error("socket closed")));
    const caught = withDeadline("asking", 10, never, work).catch((error: unknown) => error);
    await vi.advanceTimersByTimeAsync(10);
    expect(await caught).toMatchObject({ code: "TIMEOUT" });
  });

  it("leaves no timer and no listener behind", async () => {
    const controller = new AbortController();
    const add = vi.spyOn(controller.signal, "addEventListener");
    const remove = vi.spyOn(controller.signal, "removeEventListener");
    expect(await withDeadline("x", 1000, controller.signal, async () => 7)).toBe(7);
    await expect(
      withDeadline("x", 1000, controller.signal, () => Promise.reject(new Error("own"))),
    ).rejects.toThrow("own");
    expect(vi.getTimerCount()).toBe(0);
    expect(remove.mock.calls.map((call) => call[1])).toEqual(add.mock.calls.map((call) => call[1]));
  });

  it("hands on an abort from outside, before and during the work", async () => {
    const controller = new AbortController();
    const reason = new Error("stop");
    const caught = withDeadline("x", 1000, controller.signal, untilAborted).catch((error: unknown) => error);
    controller.abort(reason);
    expect(await caught).toBe(reason);
    await expect(withDeadline("x", 1000, controller.signal, untilAborted)).rejects.toBe(reason);
  });
});
