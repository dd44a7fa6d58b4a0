/** Metrics, as Prometheus reads them: the only place that knows their names. */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import type { RunMetrics } from "../schedule/ports.ts";
import type { Census } from "./census.ts";

/** What calls to stores tell. */
export interface StoreMetrics {
  /** @param code `done`, or the code of the fault */
  called(provider: string, operation: string, code: string, seconds: number): void;
}

/** What calls to this daemon tell. */
export interface CallMetrics {
  /** @param code as Connect calls it, or the HTTP status */
  answered(path: string, code: string, seconds: number): void;
}

export interface Metrics extends RunMetrics, StoreMetrics, CallMetrics {
  readonly contentType: string;
  /** The whole exposition, with a census of this moment. */
  read(): Promise<string>;
}

/** Seconds: from a small image on a local disk to 300 GB over a slow line (FJ-29). */
const RUN_BUCKETS = [1, 5, 15, 60, 300, 900, 3600, 3 * 3600, 6 * 3600, 12 * 3600];
const CALL_BUCKETS = [0.005, 0.02, 0.1, 0.5, 2, 10, 30, 120];

/** FJ-27 to FJ-31, D1: where a cancelled task has stopped. */
const BANDS: readonly { readonly upTo: number; readonly band: string }[] = [
  { upTo: 0, band: "queued" },
  { upTo: 10, band: "0-10" },
  { upTo: 40, band: "11-40" },
  { upTo: 70, band: "41-70" },
  { upTo: 95, band: "71-95" },
  { upTo: 100, band: "96-99" },
];

export function openMetrics(census: () => Promise<Census>): Metrics {
  const registry = new Registry();
  const registers = [registry];
  const gauge = <Label extends string>(name: string, help: string, labelNames: readonly Label[]) =>
    new Gauge({ name: `diskferry_${name}`, help, labelNames, registers });
  const counter = <Label extends string>(name: string, help: string, labelNames: readonly Label[]) =>
    new Counter({ name: `diskferry_${name}`, help, labelNames, registers });
  const histogram = <Label extends string>(
    name: string,
    help: string,
    labelNames: readonly Label[],
    buckets: readonly number[],
  ) => new Histogram({ name: `diskferry_${name}`, help, labelNames, registers, buckets: [...buckets] });

  const tasks = gauge("tasks", "Tasks that have not ended, in each of their regions", [
    "kind",
    "region",
    "state",
  ]);
  const queue = gauge("queue_length", "Tasks that wait for their start", ["kind"]);
  const slots = gauge("slots", "Tasks that may run at once", ["kind", "region"]);
  const used = gauge("slots_in_use", "Slots that runs hold", ["kind", "region"]);
  const waits = histogram("task_wait_seconds", "Time in the queue before a run", ["kind"], RUN_BUCKETS);
  const starts = counter("runs_started_total", "Runs begun", ["kind"]);
  const runs = histogram("run_seconds", "Time that runs took", ["kind", "outcome"], RUN_BUCKETS);
  const bytes = counter("bytes_total", "Bytes that have passed a stage; the rate is the throughput", [
    "kind",
    "stage",
  ]);
  const cancels = histogram(
    "cancel_seconds",
    "Time from an accepted cancel to its end, by the band of progress",
    ["kind", "band"],
    RUN_BUCKETS,
  );
  const retries = counter("retries_total", "Attempts repeated inside runs, by the fault's code", [
    "kind",
    "code",
  ]);
  const stores = histogram(
    "store_seconds",
    "Time that calls to stores took, by their outcome",
    ["provider", "operation", "code"],
    CALL_BUCKETS,
  );
  const calls = histogram(
    "call_seconds",
    "Time that calls to this daemon took",
    ["path", "code"],
    CALL_BUCKETS,
  );
  collectDefaultMetrics({ register: registry });

  return {
    started(kind, waited) {
      starts.inc({ kind });
      if (waited !== undefined) waits.observe({ kind }, waited);
    },
    ended: (kind, outcome, seconds) => runs.observe({ kind, outcome }, seconds),
    moved: (kind, stage, count) => bytes.inc({ kind, stage }, count),
    canceled: (kind, stopAt, seconds) => cancels.observe({ kind, band: bandOf(stopAt) }, seconds),
    retried: (kind, code) => retries.inc({ kind, code }),
    called: (provider, operation, code, seconds) => stores.observe({ provider, operation, code }, seconds),
    answered: (path, code, seconds) => calls.observe({ path, code }, seconds),
    contentType: registry.contentType,
    async read() {
      const now = await census();
      // A region that is gone leaves nothing behind.
      for (const metric of [tasks, queue, slots, used]) metric.reset();
      for (const { kind, region, state, count } of now.tasks) tasks.set({ kind, region, state }, count);
      for (const { kind, count } of now.queued) queue.set({ kind }, count);
      for (const { kind, region, count, used: held } of now.slots) {
        slots.set({ kind, region }, count);
        used.set({ kind, region }, held);
      }
      return registry.metrics();
    },
  };
}

function bandOf(stopAt: number): string {
  return BANDS.find(({ upTo }) => stopAt <= upTo)?.band ?? "96-99";
}
