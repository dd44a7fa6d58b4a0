/** The Piscina pool: threads that produce and send segments. */
import { availableParallelism } from "node:os";
import { extname } from "node:path";
import { Piscina } from "piscina";
import { Fault } from "../fault/fault.ts";
import type { Producer, SegmentJob, SegmentOutcome } from "../transfer/job.ts";

export interface PoolOptions {
  /** Absent: one per core. */
  readonly threads?: number;
  /** Jobs of one thread that overlap while they wait for disks and networks. */
  readonly lanesPerThread: number;
}

/** How long a stopped job may take to notice, before its thread is ended. */
const GRACE_MS = 30_000;

export interface Pool extends Producer, AsyncDisposable {
  readonly threads: number;
}

export function createPool(options: PoolOptions): Pool {
  const threads = options.threads ?? Math.max(1, availableParallelism());
  const pool = new Piscina<SegmentJob, SegmentOutcome>({
    filename: new URL(`./entry${extname(import.meta.filename)}`, import.meta.url).href,
    minThreads: 1,
    maxThreads: threads,
    concurrentTasksPerWorker: options.lanesPerThread,
    // A thread that sleeps in Atomics.wait between tasks would freeze its open sockets and timers.
    atomics: "disabled",
    // Threads are kept between transfers of a daemon, and let go when there is nothing to do.
    idleTimeout: 10_000,
  });
  return {
    threads,
    lanes: threads * options.lanesPerThread,
    async produce(job, signal) {
      signal.throwIfAborted();
      // Aborting a running task ends its thread with all that runs in it: the last resort. The stop flag in the
      // job's shared memory is the way to stop it.
      const lastResort = new AbortController();
      let timer: NodeJS.Timeout | undefined;
      const onAbort = (): void => {
        timer = setTimeout(() => lastResort.abort(), GRACE_MS);
      };
      signal.addEventListener("abort", onAbort, { once: true });
      try {
        const outcome = await pool.run(job, { signal: lastResort.signal });
        if (!outcome.ok) throw Fault.fromWire(outcome.fault);
        return outcome.receipt;
      } catch (error) {
        throw Fault.from(error, `part ${job.number}`);
      } finally {
        clearTimeout(timer);
        signal.removeEventListener("abort", onAbort);
      }
    },
    async [Symbol.asyncDispose]() {
      await pool.destroy();
    },
  };
}
