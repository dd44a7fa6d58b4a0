/** Several that go one way together. */

/** Each of `count` calls it once: `work` is done when the last one has, and all get its outcome. */
export function meeting(count: number, work: () => Promise<unknown>): (signal: AbortSignal) => Promise<void> {
  let missing = count;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  promise.catch(() => {});
  return (signal) => {
    missing -= 1;
    if (missing === 0) work().then(() => resolve(), reject);
    return unlessAborted(promise, signal);
  };
}

/** The promise's outcome, or the signal's reason when that fires first. */
export async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const stop = (): void => reject(signal.reason);
  signal.addEventListener("abort", stop, { once: true });
  if (signal.aborted) stop();
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

/** All of them, side by side. The first failure ends the others; it is thrown when all have come to an end. */
export async function together<T, R>(
  items: readonly T[],
  work: (item: T, index: number, signal: AbortSignal) => Promise<R>,
  signal: AbortSignal,
): Promise<R[]> {
  const failing = new AbortController();
  const either = AbortSignal.any([signal, failing.signal]);
  let first: { readonly error: unknown } | undefined;
  const outcomes = await Promise.all(
    items.map((item, index) =>
      work(item, index, either).catch((error: unknown) => {
        first ??= { error };
        failing.abort(first.error);
        return undefined;
      }),
    ),
  );
  if (first !== undefined) throw first.error;
  return outcomes as R[];
}
