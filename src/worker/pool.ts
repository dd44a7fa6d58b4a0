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

/** The threads of one start. */
interface Threads {
  readonly piscina: Piscina<SegmentJob, SegmentOutcome>;
  /** Give up the jobs that wait: when a thread is lost for good, they could wait for ever. */
  readonly giveUp: Set<(fault: Fault) => void>;
  /** A thread has ended by itself. */
  ended(error: Error): void;
}

export function createPool(options: PoolOptions): Pool {
  const threads = options.threads ?? Math.max(1, availableParallelism());
  let running: Threads | undefined;
  /** A job has come back: what ends a thread from now on is no limit of the host. */
  let proven = false;
  const start = (): Threads => {
    const piscina = startThreads(threads, options.lanesPerThread);
    const giveUp: Threads["giveUp"] = new Set();
    const ended = (error: Error): void => {
      // One that had started has been replaced by now; for one that had not, Piscina starts no other.
      if (running?.piscina !== piscina || piscina.threads.length >= threads) return;
      // The next job starts all anew: the host may have more to give by then.
      running = undefined;
      for (const reject of giveUp) reject(notStarted(threads, error));
      piscina.destroy().catch(() => {});
    };
    piscina.on("error", ended);
    return { piscina, giveUp, ended };
  };
  const started = (): Threads => {
    running ??= start();
    return running;
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
      let waiting: Threads["giveUp"] | undefined;
      try {
        const { piscina, giveUp, ended } = started();
        waiting = giveUp.add(reject);
        // A fault of the job is an outcome: what rejects is the thread.
        const done = piscina.run(job).catch((error: Error) => {
          ended(error);
          throw proven ? error : notStarted(threads, error);
        });
        const outcome = await Promise.race([done, givenUp]);
        proven = true;
        if (!outcome.ok) throw Fault.fromWire(outcome.fault);
        return outcome.receipt;
      } catch (error) {
        throw Fault.from(error, `part ${job.number}`);
      } finally {
        clearTimeout(timer);
        waiting?.delete(reject);
        signal.removeEventListener("abort", onAbort);
      }
    },
    async [Symbol.asyncDispose]() {
      const last = running;
      running = undefined;
      await last?.piscina.destroy();
    },
  };
}

/** @throws Fault IO when the host gives no thread at all. */
function startThreads(threads: number, lanesPerThread: number): Piscina<SegmentJob, SegmentOutcome> {
  try {
    return new Piscina({
      filename: new URL(`./entry${extname(import.meta.filename)}`, import.meta.url).href,
      minThreads: threads,
      maxThreads: threads,
      concurrentTasksPerWorker: lanesPerThread,
      // A thread that sleeps in Atomics.wait between tasks would freeze its open sockets and timers.
      atomics: "disabled",
      // Segments of one output file wait for those before them: the queue must never reorder.
      stricterFIFO: true,
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MIB },
    });
  } catch (error) {
    throw notStarted(threads, error as Error);
  }
}

function notStarted(threads: number, error: Error): Fault {
  return new Fault(
    "IO",
    `${threads} worker threads could not be started (${error.message}): raise the limits of open files, processes and ` +
      "memory, or ask for fewer threads",
    { cause: error },
  );
}
