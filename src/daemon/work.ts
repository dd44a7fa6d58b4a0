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
  /** Something may start now that could not before: limits have changed. */
  wake(): void;
  /** Lays the work down for good. */
  end(): Promise<void>;
}

export async function beginWork({ record, start, drainMs }: WorkOptions): Promise<Work> {
  let state: DrainStatus["state"] = "working";
  let scheduler = await start();
  let over = false;
  /** The way to what was asked for last: each way begins where the one before has ended. */
  let way: { readonly to: "work" | "rest"; readonly done: Promise<void> } = {
    to: "work",
    done: Promise.resolve(),
  };
  const status = (): DrainStatus => ({ state, running: scheduler.running });

  function drain(): Promise<void> {
    if (way.to === "rest") return way.done;
    if (state === "working") state = "draining";
    const done = way.done.catch(() => {}).then(layDown);
    way = { to: "rest", done };
    return done;
  }

  async function layDown(): Promise<void> {
    if (state === "drained") return;
    state = "draining";
    await scheduler.drain(drainMs);
    state = "drained";
  }

  function resume(): Promise<void> {
    if (way.to === "work") return way.done;
    const done = way.done.catch(() => {}).then(takeUp);
    const taken = { to: "work", done } as const;
    way = taken;
    // What has failed may be asked for again.
    done.catch(() => {
      if (way === taken) way = { to: "rest", done: Promise.resolve() };
    });
    return done;
  }

  async function takeUp(): Promise<void> {
    refuseWhenOver();
    await layDown();
    scheduler = await start();
    state = "working";
  }

  function refuseWhenOver(): void {
    if (over) throw new Fault("PRECONDITION", "the daemon is ending");
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
    wake: () => scheduler.wake(),
    async drain() {
      drain().catch(() => {});
      return status();
    },
    async resume() {
      refuseWhenOver();
      await resume();
      return status();
    },
    async end() {
      over = true;
      await drain();
    },
  };
}
