/** The daemon's own work, and how it is laid down and taken up again. */
import type { Daemon, DrainStatus } from "../api/daemon.ts";
import { Fault } from "../fault/fault.ts";
import type { TaskRecord } from "../record/record.ts";
import type { Scheduler } from "../schedule/scheduler.ts";

export interface WorkOptions {
  readonly record: TaskRecord;
  /** @throws Fault when the record fails. */
  readonly start: () => Promise<Scheduler>;
  /** How long runs may take to come to a good end, before they are ended where they stand. */
  readonly drainMs: number;
}

export interface Work extends Daemon {
  /** Lays the work down for good. */
  end(): Promise<void>;
}

export async function beginWork({ record, start, drainMs }: WorkOptions): Promise<Work> {
  let state: DrainStatus["state"] = "working";
  let scheduler = await start();
  let drained: Promise<void> = Promise.resolve();
  let over = false;
  const status = (): DrainStatus => ({ state, running: scheduler.running });

  function drain(): Promise<void> {
    if (state !== "working") return drained;
    state = "draining";
    drained = scheduler.drain(drainMs).then(() => {
      state = "drained";
    });
    return drained;
  }

  return {
    async unready() {
      if (state !== "working") return state;
      try {
        await record.lastEvent();
        return undefined;
      } catch (error) {
        return Fault.from(error, "the record").message;
      }
    },
    async drain() {
      drain().catch(() => {});
      return status();
    },
    async resume() {
      await drained;
      if (over) throw new Fault("PRECONDITION", "the daemon is ending");
      if (state === "drained") {
        scheduler = await start();
        state = "working";
      }
      return status();
    },
    async end() {
      over = true;
      await drain();
    },
  };
}
