/** One run of a thing at a time, shared by all who want it meanwhile. */
export class SingleFlight<T> {
  #running: Promise<T> | undefined;

  /**
   * Joins the run in flight, or starts `work`. A caller whose `signal` fires stops waiting; the run goes on for the
   * others, so `work` must end by itself.
   */
  async join(work: () => Promise<T>, signal: AbortSignal): Promise<T> {
    signal.throwIfAborted();
    this.#running ??= work().finally(() => {
      this.#running = undefined;
    });
    const { promise: abandoned, reject } = Promise.withResolvers<never>();
    const abandon = () => reject(signal.reason);
    signal.addEventListener("abort", abandon, { once: true });
    try {
      return await Promise.race([this.#running, abandoned]);
    } finally {
      signal.removeEventListener("abort", abandon);
    }
  }
}
