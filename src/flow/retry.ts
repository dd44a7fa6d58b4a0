/** Retry with full jitter, bounded by attempts and by time, only for faults that the table calls retryable. */
import { setTimeout as sleep } from "node:timers/promises";
import { Fault } from "../fault/fault.ts";

export interface RetryPolicy {
  /** Attempts in all, the first included. */
  readonly attempts: number;
  /** Bound of the first wait; doubles with each attempt. */
  readonly baseMs: number;
  readonly maxMs: number;
  /** Which faults are worth another attempt; absent: those that the table of codes calls retryable. */
  readonly repeats?: (fault: Fault) => boolean;
  /** 0 ≤ random() < 1; passed in so that tests can be exact. */
  readonly random: () => number;
}

/** Six attempts, waits below 0.2, 0.4, 0.8, 1.6 and 3.2 s: rides out a restart of a proxy, not a day's outage. */
export const DEFAULT_RETRY: RetryPolicy = { attempts: 6, baseMs: 200, maxMs: 20_000, random: Math.random };

export interface Attempt {
  /** Counts from 1. */
  readonly number: number;
}

/**
 * Runs `work` until it succeeds, fails with a fault that must not be retried, or the attempts are spent.
 * A server's Retry-After is honoured, up to a minute. `onRetry` is told before each wait.
 */
export async function withRetry<T>(
  doing: string,
  policy: RetryPolicy,
  work: (attempt: Attempt) => Promise<T>,
  signal: AbortSignal,
  onRetry: (fault: Fault, waitMs: number) => void = () => {},
): Promise<T> {
  for (let number = 1; ; number += 1) {
    signal.throwIfAborted();
    try {
      return await work({ number });
    } catch (error) {
      if (signal.aborted) throw Fault.from(signal.reason, doing);
      const fault = Fault.from(error, doing);
      const repeated = policy.repeats?.(fault) ?? fault.retryable;
      if (!repeated || number >= policy.attempts) throw fault;
      const bound = Math.min(policy.maxMs, policy.baseMs * 2 ** (number - 1));
      const waitMs = Math.max(Math.min(fault.retryAfterMs ?? 0, 60_000), policy.random() * bound);
      onRetry(fault, waitMs);
      await sleep(waitMs, undefined, { signal }).catch(() => signal.throwIfAborted());
    }
  }
}
