import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { withDeadline, withGrace } from "../../src/flow/deadline.ts";

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

describe("a time of grace", () => {
  it("lets work come to its end although nobody wants it any more", async () => {
    const controller = new AbortController();
    const { promise, resolve } = Promise.withResolvers<string>();
    const working = withGrace(60_000, controller.signal, () => promise);
    controller.abort(new Error("unwanted"));
    await vi.advanceTimersByTimeAsync(59_999);
    resolve("done");
    expect(await working).toBe("done");
    expect(vi.getTimerCount()).toBe(0);
  });

  it.each(["before", "meanwhile"])("ends with the reason of a signal that fired %s", async (when) => {
    const controller = new AbortController();
    if (when === "before") controller.abort(new Error("unwanted"));
    const caught = withGrace(60_000, controller.signal, untilAborted).catch((error: unknown) => error);
    if (when === "meanwhile") controller.abort(new Error("unwanted"));
    await vi.advanceTimersByTimeAsync(60_000);
    expect(await caught).toMatchObject({ message: "unwanted" });
  });

  it("is as long as is said when the signal fires: at once, or later", async () => {
    let ms = 60_000;
    const controller = new AbortController();
    const caught = withGrace(() => ms, controller.signal, untilAborted).catch((error: unknown) => error);
    ms = 0;
    controller.abort(new Error("unwanted"));
    expect(vi.getTimerCount()).toBe(0);
    expect(await caught).toMatchObject({ message: "unwanted" });
    ms = 10;
    const later = withGrace(() => ms, controller.signal, untilAborted).catch((error: unknown) => error);
    expect(vi.getTimerCount()).toBe(1);
    await vi.advanceTimersByTimeAsync(10);
    expect(await later).toMatchObject({ message: "unwanted" });
  });
});
