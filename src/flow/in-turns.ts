/** Long work in the main thread, which belongs to others too. */
import { setImmediate } from "node:timers/promises";

/** A few milliseconds of work that does next to nothing with each. */
const AT_ONCE = 10_000;

/** The same items; every now and then others get their turn. @throws the signal's reason */
export async function* inTurns<T>(
  items: AsyncIterable<T> | Iterable<T>,
  signal: AbortSignal,
): AsyncGenerator<T> {
  let left = AT_ONCE;
  for await (const item of items) {
    yield item;
    left -= 1;
    if (left > 0) continue;
    left = AT_ONCE;
    await setImmediate();
    signal.throwIfAborted();
  }
}
