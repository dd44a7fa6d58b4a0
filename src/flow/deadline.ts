/** Every wait has an end. */
import { Fault } from "../fault/fault.ts";

/**
 * Runs `work` with a signal that fires when `signal` does or when `ms` milliseconds have passed.
 * @throws Fault TIMEOUT when the time is up.
 */
export async function withDeadline<T>(
  doing: string,
  ms: number,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController();
  const timeout = new Fault("TIMEOUT", `${doing}: no answer within ${ms / 1000} s`, {
    details: { timeoutMs: ms },
  });
  const timer = setTimeout(() => controller.abort(timeout), ms);
  const forward = () => controller.abort(signal.reason);
  if (signal.aborted) forward();
  else signal.addEventListener("abort", forward, { once: true });
  try {
    return await work(controller.signal);
  } catch (error) {
    if (controller.signal.reason === timeout) throw timeout;
    throw error;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", forward);
  }
}

/**
 * Runs `work` with a signal that fires `ms` milliseconds after `signal` does: for what must not be given up in the
 * middle, unless it takes too long to end. A function tells how long when `signal` fires; 0 is at once.
 */
export async function withGrace<T>(
  ms: number | (() => number),
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const forward = () => {
    const grace = typeof ms === "number" ? ms : ms();
    if (grace === 0) controller.abort(signal.reason);
    else timer = setTimeout(() => controller.abort(signal.reason), grace);
  };
  if (signal.aborted) forward();
  else signal.addEventListener("abort", forward, { once: true });
  try {
    return await work(controller.signal);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", forward);
  }
}
