/** What must hold of a daemon whenever it is killed. Each check names what is wrong, or nothing. */
import { isDeepStrictEqual } from "node:util";
import type { Slots } from "../../src/catalog/region.ts";
import type { RecordedEvent } from "../../src/record/event.ts";
import type { TaskKind } from "../../src/task/spec.ts";
import { isFinal, type Task } from "../../src/task/task.ts";
import type { Evidence, JournalLeft } from "./evidence.ts";

/** What was read once is never changed, and nothing that was there is gone. */
export function* historyStands(before: Evidence, now: Evidence): Generator<string> {
  for (const [index, event] of before.events.entries()) {
    if (!isDeepStrictEqual(event, now.events[index])) yield `event ${event.sequence} is lost or changed`;
  }
  const known = new Map(now.tasks.map((task) => [task.id, task]));
  for (const task of before.tasks) {
    const found = known.get(task.id);
    if (found === undefined) yield `task ${task.id} is lost`;
    else if (isFinal(task.state) && !isDeepStrictEqual(task, found)) yield `${task.id} changes after its end`;
  }
}

/** FJ-23 to FJ-26, D2: of every task, from its first event to its last. */
export function* tasksGoForward({ tasks, events }: Evidence): Generator<string> {
  const reached = new Map<string, RecordedEvent["after"]>();
  for (const { task, sequence, after } of events) {
    const before = reached.get(task);
    reached.set(task, after);
    if (before === undefined) continue;
    const where = `${task}, event ${sequence}`;
    if (after.progress < before.progress)
      yield `${where}: falls from ${before.progress} to ${after.progress}`;
    if (isFinal(before.state)) yield `${where}: comes after its end`;
    const { cancel } = before;
    const stands = after.cancel?.acceptedAt === cancel?.acceptedAt;
    if (cancel !== undefined && !(stands && (after.cancel?.stopAt ?? 100) <= cancel.stopAt)) {
      yield `${where}: its cancel is withdrawn`;
    }
  }
  for (const { id, cancel, state, progress } of tasks) {
    if (cancel === undefined) continue;
    if (progress > cancel.stopAt) yield `${id}: stands at ${progress}, and was to stop at ${cancel.stopAt}`;
    if (!["cancelling", "canceled"].includes(state)) yield `${id}: was cancelled, and is ${state}`;
  }
}

/** After these a run holds no slot any more. */
const ENDS: ReadonlySet<RecordedEvent["event"]["kind"]> = new Set([
  "parked",
  "requeued",
  "stopped",
  "succeeded",
  "failed",
]);

/** Runs of a kind that a region takes part in, after each event. */
function* slotsTaken(events: readonly RecordedEvent[]): Generator<{
  readonly sequence: number;
  readonly kind: TaskKind;
  readonly taken: ReadonlyMap<string, number>;
}> {
  const runs = new Map<string, { readonly kind: TaskKind; readonly slots: readonly string[] }>();
  for (const { sequence, task, kind, event } of events) {
    if (event.kind === "started") runs.set(task, { kind, slots: event.slots });
    if (ENDS.has(event.kind)) runs.delete(task);
    const taken = new Map<string, number>();
    for (const { slots } of [...runs.values()].filter((run) => run.kind === kind)) {
      for (const region of slots) taken.set(region, (taken.get(region) ?? 0) + 1);
    }
    yield { sequence, kind, taken };
  }
}

/** CP-16, D3. */
export function* slotsHold({ events }: Evidence, limit: Slots): Generator<string> {
  for (const { sequence, kind, taken } of slotsTaken(events)) {
    for (const [region, count] of taken) {
      if (count > limit[kind]) yield `event ${sequence}: ${region} takes part in ${count} runs of ${kind}`;
    }
  }
}

/** Each part is noted once, and what is noted is not noted anew by the upload that goes on. */
export function* journalsGoOn(before: Evidence, now: Evidence): Generator<string> {
  for (const { task, parts } of now.journals) {
    if (new Set(parts).size < parts.length) yield `${task}: has landed a part twice`;
  }
  for (const left of before.journals) {
    const next = now.journals.find(({ upload }) => upload !== undefined && upload === left.upload);
    const lost = next === undefined ? [] : left.parts.filter((part) => !next.parts.includes(part));
    if (lost.length > 0) yield `${left.task}: parts ${lost.join(", ")} have landed, and are forgotten`;
    const task = now.tasks.find(({ id }) => id === left.task);
    if (task !== undefined && next === undefined && !isFinal(task.state) && task.cancel === undefined) {
      if (left.parts.length > 0) yield `${left.task}: does not go on with what has landed`;
    }
  }
}

/** Of a run that has succeeded after a kill: what it has sent, and what had landed before, are no more than the object. */
export function* sendsTheRest(left: readonly JournalLeft[], { events }: Evidence): Generator<string> {
  for (const { task, bytes, sealed } of left) {
    const end = events.find((event) => event.task === task && event.event.kind === "succeeded");
    if (end?.event.kind !== "succeeded" || sealed) continue;
    const size = end.event.result.objects.reduce((sum, object) => sum + object.size, 0);
    const { sent } = end.after.bytes;
    if (sent > size - bytes) yield `${task}: sent ${sent} bytes where ${bytes} of ${size} had landed`;
  }
}

/** Slots of each region: set after one event, in force for all events behind another, until the next. */
export interface LimitSince {
  /** The last event before they were set. */
  readonly from: number;
  /** The last event when all regions had them: it may still have happened under those before. */
  readonly to: number;
  readonly most: number;
}

/** The limits that may have been in force when the event happened. */
function inForce(limits: readonly LimitSince[], sequence: number): readonly number[] {
  const settled = limits.findLastIndex(({ to }) => to < sequence);
  return limits.filter(({ from }, index) => index >= settled && from <= sequence).map(({ most }) => most);
}

/** Nothing starts beyond the limit of that moment; what runs when it is lowered goes on. */
export function* slotsFollow(
  { events }: Evidence,
  kind: TaskKind,
  limits: readonly LimitSince[],
): Generator<string> {
  for (const [index, { sequence, kind: of, taken }] of [...slotsTaken(events)].entries()) {
    const event = events[index]?.event;
    if (of !== kind || event?.kind !== "started") continue;
    const most = Math.max(...inForce(limits, sequence));
    for (const region of event.slots) {
      const count = taken.get(region) ?? 0;
      if (count > most) yield `event ${sequence} begins run ${count} of ${region}, of ${most}`;
    }
  }
}

/** D3: whoever is passed over finds one of its regions full. */
export function* startsInOrder(
  { tasks, events }: Evidence,
  kind: TaskKind,
  limits: readonly LimitSince[],
): Generator<string> {
  const waiting = new Map<string, Task>();
  const known = new Map(tasks.map((task) => [task.id, task]));
  let taken: ReadonlyMap<string, number> = new Map();
  for (const [index, now] of [...slotsTaken(events)].entries()) {
    const { task: id = "", event } = events[index] ?? {};
    const task = known.get(id);
    if (now.kind !== kind || task === undefined) continue;
    if (event?.kind === "accepted") waiting.set(id, task);
    if (event?.kind === "started") {
      waiting.delete(id);
      const most = Math.min(...inForce(limits, now.sequence));
      for (const other of waiting.values()) {
        const blocked = other.regions.some((region) => (taken.get(region) ?? 0) >= most);
        if (other.sequence < task.sequence && !blocked)
          yield `${id} starts before ${other.id}, which had room`;
      }
    }
    taken = now.taken;
  }
}

export function mostTaken({ events }: Evidence, kind: TaskKind, region: string): number {
  const counts = [...slotsTaken(events)].filter((now) => now.kind === kind);
  return Math.max(...counts.map(({ taken }) => taken.get(region) ?? 0));
}
