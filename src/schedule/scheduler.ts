/**
 * What starts next: asks the record for tasks whenever something may have changed, and hands each to a run. The record
 * decides which may start (D3); the scheduler only asks, and bounds how many this daemon runs.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { Fault } from "../fault/fault.ts";
import { allRegions } from "../record/all-regions.ts";
import type { RecordedEvent } from "../record/event.ts";
import type { Task } from "../task/task.ts";
import { HeldTask } from "./held-task.ts";
import type { RunShare } from "./land-moves.ts";
import { fairLanes } from "./lanes.ts";
import { lostTasks } from "./lost-tasks.ts";
import { removeOrphans } from "./orphans.ts";
import type { SchedulePorts } from "./ports.ts";
import { fairRates } from "./rates.ts";
import { runTask } from "./run.ts";
import { removeUnneeded } from "./unneeded.ts";

export interface ScheduleLimits {
  /** Name of this daemon: unique among those that share the record, and the same after a restart. */
  readonly runner: string;
  /** Runs at once. */
  readonly mostRuns: number;
  /** Bytes of memory for the segments of all runs together. */
  readonly memory: number;
}

export interface Scheduler extends AsyncDisposable {
  /** Something may have changed of which no event tells: limits of a region. */
  wake(): void;
  /** Removes what dead tasks have left; says how many could not be cleaned. */
  removeOrphans(signal: AbortSignal): Promise<number>;
  /**
   * Starts nothing more, lets runs end after the parts that are under way, and after `deadlineMs` ends them where they
   * stand. Resolves when no run is left; all that has not finished is queued again.
   */
  drain(deadlineMs: number): Promise<void>;
  readonly running: number;
}

/** Others that share the record, and limits that nobody has announced, are noticed within this. */
const LOOK_AGAIN_MS = 5000;
/** A record that fails is asked again after this. */
const FAILED_MS = 1000;
/** Between two looks for what dead tasks have left. */
const SWEEP_EVERY_MS = 60 * 60_000;
/** Objects of deleted images that could not be removed are tried again after this. */
const REMOVE_AGAIN_MS = 60_000;
const EVENTS_AT_ONCE = 500;
/** Of all lanes, that one run or one region may hold: what it leaves is for others when its store hangs. */
const SHARE_OF_ONE = 0.75;
/** A run that is ended where it stands cleans up behind itself within this, or leaves it to the next start. */
const HALT_MS = 60_000;

/** After these something that waits may start. */
const FREES: ReadonlySet<RecordedEvent["event"]["kind"]> = new Set([
  "accepted",
  "cancel-accepted",
  "parked",
  "requeued",
  "stopped",
  "succeeded",
  "failed",
]);

/** These ask something of a task that may be running here. */
const ASKS: ReadonlySet<RecordedEvent["event"]["kind"]> = new Set(["cancel-accepted", "limited"]);

interface Running {
  readonly held: HeldTask;
  ended: Promise<void>;
  rate: number;
  readonly changes: ((bytesPerSecond: number) => void)[];
}

/**
 * Queues again what this daemon held when it ended, and begins; removes orphans at once, and then every hour.
 * @throws Fault when the record fails.
 */
export async function startScheduler(ports: SchedulePorts, limits: ScheduleLimits): Promise<Scheduler> {
  const { record, now, note } = ports;
  const { runner } = limits;
  const lanes = fairLanes({
    lanes: ports.producer.lanes,
    lanesOfOne: Math.ceil(ports.producer.lanes * SHARE_OF_ONE),
    memory: limits.memory,
  });
  const runs = new Map<string, Running>();
  const lost = lostTasks(ports);
  const claiming = new AbortController();
  const life = new AbortController();
  let woken = Promise.withResolvers<void>();
  const wake = (): void => woken.resolve();
  const newest = await record.lastEvent();
  await record.recover(runner, now());

  function start(task: Task): void {
    const { kind } = task.spec;
    const held = new HeldTask(task, record, now);
    const changes: Running["changes"] = [];
    const running: Running = { held, rate: task.bandwidth, changes, ended: Promise.resolve() };
    const share: RunShare = {
      lanes: lanes.join(task.regions),
      memory: limits.memory,
      get bandwidth() {
        return running.rate;
      },
      onBandwidth(change) {
        changes.push(change);
        // It may have changed since the transfer was asked for.
        change(running.rate);
      },
    };
    const began = performance.now();
    const { acceptedAt, startedAt = acceptedAt } = task.times;
    // Later runs have waited for reasons of their own.
    ports.metrics.started(kind, task.attempts === 1 ? (startedAt - acceptedAt) / 1000 : undefined);
    note("info", "run-started", { task: task.id, attempt: task.attempts });
    running.ended = runTask(held, share, ports).then((outcome) => {
      const seconds = (performance.now() - began) / 1000;
      runs.delete(task.id);
      share.lanes[Symbol.dispose]();
      if (outcome === "lost") lost.add(held.task);
      ports.metrics.ended(kind, outcome, seconds);
      note("info", "run-ended", { task: task.id, outcome, seconds });
      wake();
    });
    runs.set(task.id, running);
  }

  async function claim(): Promise<void> {
    const most = limits.mostRuns - runs.size;
    if (most <= 0) return;
    for (const task of await record.claim({ runner, at: now(), most })) start(task);
  }

  async function shareBandwidth(): Promise<void> {
    const regions = await allRegions(record.catalogue);
    const bounds = new Map<string, number>();
    for (const { id, bandwidth } of regions) if (bandwidth) bounds.set(id, bandwidth);
    const requests = [...runs.values()].map(({ held: { task } }) => ({
      task: task.id,
      regions: task.regions,
      bandwidth: task.bandwidth,
    }));
    for (const [id, rate] of fairRates(requests, bounds)) {
      const run = runs.get(id);
      if (run === undefined || run.rate === rate) continue;
      run.rate = rate;
      for (const change of run.changes) change(rate);
    }
  }

  /** Milliseconds until somebody should look again, if nobody wakes the scheduler before. */
  async function nextLook(): Promise<number> {
    const at = now();
    const next = (await record.nextStart(at)) ?? Number.POSITIVE_INFINITY;
    return Math.max(0, Math.min(next - at, LOOK_AGAIN_MS));
  }

  async function claimOnAndOn({ signal }: AbortController): Promise<void> {
    while (!signal.aborted) {
      woken = Promise.withResolvers();
      let waitMs = FAILED_MS;
      try {
        await lost.giveBack();
        await claim();
        await shareBandwidth();
        sweepWhenDue();
        removeWhenDue();
        waitMs = await nextLook();
      } catch (error) {
        noteFailure("record-fails", error);
      }
      await pause(waitMs, woken.promise, signal);
    }
  }

  async function followEvents({ signal }: AbortController): Promise<void> {
    let last = newest;
    while (!signal.aborted) {
      try {
        await record.news(last, signal);
        for (const { sequence, task, event } of await record.events({ after: last, limit: EVENTS_AT_ONCE })) {
          last = sequence;
          if (ASKS.has(event.kind)) await runs.get(task)?.held.look();
          if (ASKS.has(event.kind) || FREES.has(event.kind)) wake();
        }
      } catch (error) {
        if (signal.aborted) return;
        noteFailure("record-fails", error);
        await pause(FAILED_MS, new Promise(() => {}), signal);
      }
    }
  }

  function noteFailure(event: string, error: unknown): void {
    const { code, message } = Fault.from(error, "the record");
    note("error", event, { code, message });
  }

  let swept: Promise<unknown> = Promise.resolve();
  let sweepsAt = Number.NEGATIVE_INFINITY;
  /** One after the other: each journal belongs to one at a time. */
  function sweep(signal: AbortSignal): Promise<number> {
    const sweeping = swept.then(() =>
      removeOrphans(ports, (task) => runs.has(task), AbortSignal.any([signal, life.signal])),
    );
    swept = sweeping.catch((error: unknown) => {
      if (!life.signal.aborted) noteFailure("orphans-kept", error);
    });
    return sweeping;
  }
  function sweepWhenDue(): void {
    if (now() < sweepsAt) return;
    sweepsAt = Number.POSITIVE_INFINITY;
    sweep(life.signal)
      .catch(() => {})
      .finally(() => {
        sweepsAt = now() + SWEEP_EVERY_MS;
      });
  }

  let removing: Promise<unknown> = Promise.resolve();
  let removesAt = Number.NEGATIVE_INFINITY;
  function removeWhenDue(): void {
    if (now() < removesAt) return;
    removesAt = Number.POSITIVE_INFINITY;
    removing = removeUnneeded(ports, life.signal)
      .catch((error: unknown) => {
        if (!life.signal.aborted) noteFailure("objects-kept", error);
        return 1;
      })
      .then((left) => {
        removesAt = now() + (left === 0 ? 0 : REMOVE_AGAIN_MS);
      });
  }

  const loops = [claimOnAndOn(claiming), followEvents(life)];

  async function drain(deadlineMs: number): Promise<void> {
    claiming.abort();
    wake();
    await loops[0];
    for (const { held } of runs.values()) held.park();
    const ended = Promise.all([...runs.values()].map((run) => run.ended));
    await pause(deadlineMs, ended, life.signal);
    for (const { held } of runs.values()) held.halt();
    await pause(HALT_MS, ended, life.signal);
    life.abort();
    await Promise.all([...loops, swept, removing]);
  }

  return {
    wake,
    removeOrphans: sweep,
    drain,
    get running() {
      return runs.size;
    },
    [Symbol.asyncDispose]: () => drain(0),
  };
}

/** Waits for `until`, at most so long, and not beyond the signal. Never throws. */
async function pause(ms: number, until: Promise<unknown>, signal: AbortSignal): Promise<void> {
  const over = new AbortController();
  const stop = AbortSignal.any([signal, over.signal]);
  await Promise.race([until, sleep(ms, undefined, { signal: stop }).catch(() => {})]);
  over.abort();
}
