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
  /** The threads start while the image is still being opened; absent: with the first job. */
  readonly start?: "now";
}

/** How long a stopped job may take to notice, before nobody waits for it any longer. */
const GRACE_MS = 30_000;

/**
 * Jobs leave little garbage behind, and image bytes are no part of the heap: what V8 would let a young generation grow
 * to in a long transfer is 40 MiB a thread for nothing.
 */
const YOUNG_MIB = 8;

export interface Pool extends Producer, AsyncDisposable {
  readonly threads: number;
}

export function createPool(options: PoolOptions): Pool {
  const threads = options.threads ?? Math.max(1, availableParallelism());
  let pool: Piscina<SegmentJob, SegmentOutcome> | undefined;
  const started = (): Piscina<SegmentJob, SegmentOutcome> => {
    pool ??= new Piscina({
      filename: new URL(`./entry${extname(import.meta.filename)}`, import.meta.url).href,
      minThreads: threads,
      maxThreads: threads,
      concurrentTasksPerWorker: options.lanesPerThread,
      // A thread that sleeps in Atomics.wait between tasks would freeze its open sockets and timers.
      atomics: "disabled",
      // Segments of one output file wait for those before them: the queue must never reorder.
      stricterFIFO: true,
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MIB },
    });
    return pool;
  };
  if (options.start === "now") started();
  return {
    threads,
    lanes: threads * options.lanesPerThread,
    async produce(job, signal) {
      signal.throwIfAborted();
      // A Piscina task with a signal gets a thread to itself, and aborting it ends that thread with all its lanes.
      // So jobs have none: they stop by the flag in their shared memory.
      const { promise: givenUp, reject } = Promise.withResolvers<never>();
      let timer: NodeJS.Timeout | undefined;
      const onAbort = (): void => {
        timer = setTimeout(() => reject(Fault.from(signal.reason, `part ${job.number}`)), GRACE_MS);
      };
      signal.addEventListener("abort", onAbort, { once: true });
      try {
        const outcome = await Promise.race([started().run(job), givenUp]);
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
      await pool?.destroy();
    },
  };
}
