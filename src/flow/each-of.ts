/** Bounded lanes over a stream of work: the number of lanes is the back-pressure. */
import type { LimitFunction } from "p-limit";

/**
 * Runs `work` for each item, as many at once as `limit` allows now (its concurrency may change while running); takes
 * the next item only when a lane is free. The first error stops the taking; all running work settles before it is
 * thrown.
 */
export async function eachOf<T>(
  items: AsyncIterable<T> | Iterable<T>,
  limit: LimitFunction,
  work: (item: T) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const running = new Set<Promise<void>>();
  let failed: { readonly error: unknown } | undefined;
  try {
    for await (const item of items) {
      signal.throwIfAborted();
      const lane = limit(() => work(item))
        .catch((error: unknown) => {
          failed ??= { error };
        })
        .finally(() => running.delete(lane));
      running.add(lane);
      while (running.size >= limit.concurrency && failed === undefined) await Promise.race(running);
      if (failed !== undefined) break;
    }
  } catch (error) {
    failed ??= { error };
  }
  await Promise.all(running);
  if (failed !== undefined) throw failed.error;
}
