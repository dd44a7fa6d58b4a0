/** The death of a daemon inside the test's own process: from one moment on, the record hears no more of it. */
import { Fault } from "../../src/fault/fault.ts";
import type { Scheduler } from "../../src/schedule/scheduler.ts";
import type { Harbour } from "./harbour.ts";

/** Call it before the daemon starts. */
export function mortal(quay: Harbour): { readonly kill: (scheduler: Scheduler) => Promise<void> } {
  const dead = new AbortController();
  const real = quay.record;
  quay.record = {
    ...real,
    apply: async (...event) => {
      dead.signal.throwIfAborted();
      return real.apply(...event);
    },
  };
  return {
    async kill(scheduler) {
      dead.abort(new Fault("IO", "the daemon is dead"));
      await scheduler.drain(0);
      quay.record = real;
    },
  };
}
