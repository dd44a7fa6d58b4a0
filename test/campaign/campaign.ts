/** Kills a daemon again and again while it works, looks at what is left, and starts it again. */
import { type TaskEvent, TaskEventKind } from "../../src/api/connect/generated/diskferry/v1/task_pb.ts";
import { isFinal, type Task } from "../../src/task/task.ts";
import { repeats } from "../kill/proxy.ts";
import { type Random, SEED } from "../kill/random.ts";
import type { Moment as StoreMoment } from "../kill/tripwire.ts";
import { type Evidence, gather } from "./evidence.ts";
import { type Asked, type Fleet, SLOTS } from "./fleet.ts";
import { historyStands, journalsGoOn, sendsTheRest, slotsHold, tasksGoForward } from "./invariants.ts";

/** Tasks that are kept unfinished: more than find slots. */
const AT_WORK = 18;
/** Runs that there are when an event kills the daemon. */
const RUNS = 10;
/** One in so many events of progress is answered with a cancel. */
const CANCEL_ONE_IN = 30;
/** Without another moment the daemon is killed after so many events. */
const LATEST = 150;

/** When the daemon is killed: counted from its start, never timed. */
export type Moment =
  /** Something passes between the daemon and Swift. */
  | { readonly at: "store"; readonly moment: StoreMoment }
  /** The nth event has happened, of any kind or of this one. */
  | { readonly at: "event"; readonly nth: number; readonly kind?: TaskEventKind }
  /** The first of several requests has been answered, and the others are on their way. */
  | { readonly at: "request" };

/** After these something is half done. */
const TELLING = [
  TaskEventKind.STARTED,
  TaskEventKind.OPENED,
  TaskEventKind.PLANNED,
  TaskEventKind.SEALING,
  TaskEventKind.COMMITTING,
  TaskEventKind.CATALOGUING,
  TaskEventKind.CANCEL_ACCEPTED,
  TaskEventKind.STOPPED,
  TaskEventKind.SUCCEEDED,
] as const;

export function drawMoment(random: Random): Moment {
  const kind = random.upTo(10);
  if (kind === 1) return { at: "request" };
  if (kind <= 4) return { at: "event", nth: random.upTo(120) };
  if (kind <= 6) return { at: "event", nth: random.upTo(4), kind: random.pick(TELLING) };
  const what = random.pick([
    "part",
    "part",
    "part",
    "part",
    "complete",
    "complete",
    "list",
    "look",
    "remove",
    "read",
  ]);
  const phase = random.pick(["asked", "within", "done", "told"] as const);
  return { at: "store", moment: { kind: what, phase, nth: random.upTo(what === "part" ? 24 : 3) } };
}

export interface Figures {
  kills: number;
  /** Runs at the kills. */
  runs: { least: number; most: number; sum: number };
  /** Bytes of parts that were on their way to Swift when the daemon was killed, and had to be sent again. */
  again: number;
  /** Of parts that Swift has acknowledged. */
  acknowledged: number;
  /** Requests that were made again with their token. */
  repeated: number;
  /** Parts that Swift had acknowledged, and was sent once more. */
  sentTwice: number;
  /** Parts that stood in the journals of unfinished uploads at the kills, all kills together. */
  partsKept: number;
  orphans: number;
}

/** After these a task may have ended, and no run holds it. */
const ENDS: ReadonlySet<TaskEventKind> = new Set([
  TaskEventKind.CANCEL_ACCEPTED,
  TaskEventKind.STOPPED,
  TaskEventKind.SUCCEEDED,
  TaskEventKind.FAILED,
]);
/** Tasks that the fleet begins with. */
const FIRST = 2;

export class Campaign {
  readonly #fleet: Fleet;
  readonly #random: Random;
  readonly figures: Figures = {
    kills: 0,
    runs: { least: Number.POSITIVE_INFINITY, most: 0, sum: 0 },
    again: 0,
    acknowledged: 0,
    repeated: 0,
    sentTwice: 0,
    partsKept: 0,
    orphans: 0,
  };
  readonly complaints: string[] = [];
  /** Tasks whose end was looked at. */
  readonly #ended = new Set<string>();
  /** Tasks that had landed parts when a daemon was killed. */
  readonly #interrupted = new Set<string>();
  readonly #began = performance.now();
  #evidence: Evidence = { tasks: [], events: [], slots: 0, images: [], journals: [] };
  #where = "";

  constructor(fleet: Fleet, random: Random) {
    this.#fleet = fleet;
    this.#random = random;
  }

  get evidence(): Evidence {
    return this.#evidence;
  }

  /** The daemon runs, is killed at the moment, and what it leaves is looked at; then the next one is started. */
  async round(moment: Moment): Promise<void> {
    this.figures.kills += 1;
    this.#where = `seed ${SEED}, kill ${this.figures.kills}, ${JSON.stringify(moment)}`;
    const { tripwire } = this.#fleet.store;
    const dead = new AbortController();
    const kill = (): void => {
      this.#fleet.kill();
      dead.abort();
    };
    tripwire.arm(moment.at === "store" ? moment.moment : undefined, kill);
    const working = this.#work(moment, kill, dead.signal);
    await this.#fleet.ended;
    dead.abort();
    await working;
    await tripwire.quiet();
    await this.#lookAround();
    const count = this.#evidence.tasks.filter(({ run }) => run !== undefined).length;
    const { runs } = this.figures;
    runs.least = Math.min(runs.least, count);
    runs.most = Math.max(runs.most, count);
    runs.sum += count;
    for (const { task, parts, sealed } of this.#evidence.journals) {
      if (parts.length === 0 || sealed) continue;
      this.#interrupted.add(task);
      this.figures.partsKept += parts.length;
    }
    await this.#fleet.start();
  }

  /** Brings all tasks to their end, and stops the daemon in good order. */
  async finish(): Promise<void> {
    this.#where = `seed ${SEED}, the end`;
    this.#fleet.store.tripwire.arm(undefined, () => {});
    await this.#repeat(() => true);
    const over = new AbortController();
    const events = this.#watch(over.signal)[Symbol.asyncIterator]();
    for (let left = await this.#fleet.unfinished(); left.length > 0; left = await this.#fleet.unfinished()) {
      for (const id of left) await this.#fleet.hurry(id);
      for (let next = await events.next(); !next.done; next = await events.next()) {
        if (ENDS.has(next.value.kind)) break;
      }
    }
    over.abort();
    await this.#fleet.stop();
    await this.#lookAround();
    const { tasks, slots } = this.#evidence;
    for (const { id, state } of tasks) if (!isFinal(state)) this.#complain(`${id} is ${state}`);
    if (slots > 0) this.#complain(`${slots} slots are held`);
    for (const orphan of await this.#fleet.orphans(this.#evidence)) {
      this.figures.orphans += 1;
      this.#complain(`an orphan is left: ${orphan}`);
    }
    const accepted = this.#fleet.asked.filter(({ id }) => id !== undefined).length;
    if (tasks.length !== FIRST + accepted) {
      this.#complain(`${tasks.length - FIRST} tasks came of ${accepted} requests that were accepted`);
    }
  }

  /** Keeps the daemon busy, cancels now and then, and kills it when the moment has come. */
  async #work(moment: Moment, kill: () => void, dead: AbortSignal): Promise<void> {
    try {
      await this.#repeat(({ id }) => id === undefined || this.#random.upTo(8) === 1);
      const unfinished = new Set(await this.#fleet.unfinished());
      const runs = new Set<string>();
      const seen = new Map<TaskEventKind, number>();
      let count = 0;
      if (moment.at === "request") {
        const asking = [1, 2, 3, 4].map(() => this.#ask());
        for (const one of asking) one.catch(() => {});
        await Promise.any(asking);
        return kill();
      }
      for (const _ of Array(Math.max(0, AT_WORK - unfinished.size))) await this.#ask();
      for await (const { kind, taskId } of this.#watch(dead)) {
        count += 1;
        seen.set(kind, (seen.get(kind) ?? 0) + 1);
        if (kind === TaskEventKind.ACCEPTED) unfinished.add(taskId);
        if (kind === TaskEventKind.STARTED) runs.add(taskId);
        if (ENDS.has(kind)) runs.delete(taskId);
        const comes =
          moment.at === "event" && (moment.kind === undefined ? count : (seen.get(moment.kind) ?? 0));
        if (runs.size >= RUNS && (count >= LATEST || (comes !== false && comes >= moment.nth))) return kill();
        if (kind === TaskEventKind.PROGRESSED && this.#random.upTo(CANCEL_ONE_IN) === 1) {
          await this.#fleet.cancel(taskId);
        }
        if (ENDS.has(kind)) {
          unfinished.delete(taskId);
          await this.#ask();
        }
      }
    } catch (error) {
      if (!dead.aborted) {
        this.#complain(`while it works: ${String(error)}`);
        kill();
      }
    }
  }

  async #ask(): Promise<void> {
    await this.#fleet.ask(this.#random);
  }

  /** Makes some of the requests once more. */
  async #repeat(which: (asked: Asked) => boolean): Promise<void> {
    for (const one of this.#fleet.asked.filter((one) => one.refused === undefined && which(one))) {
      const wrong = await this.#fleet.repeat(one);
      this.figures.repeated += 1;
      if (wrong !== undefined) this.#complain(wrong);
    }
  }

  #watch(signal: AbortSignal): AsyncIterable<TaskEvent> {
    return this.#fleet.watch(this.#evidence.events.at(-1)?.sequence ?? 0, signal);
  }

  async #lookAround(): Promise<void> {
    const before = this.#evidence;
    const now = await gather(this.#fleet.state);
    this.#evidence = now;
    for (const wrong of historyStands(before, now)) this.#complain(wrong);
    for (const wrong of tasksGoForward(now)) this.#complain(wrong);
    for (const wrong of slotsHold(now, SLOTS)) this.#complain(wrong);
    for (const wrong of journalsGoOn(before, now)) this.#complain(wrong);
    for (const wrong of sendsTheRest(before.journals, now)) this.#complain(wrong);
    this.#countParts();
    const known = new Map(now.tasks.map((task) => [task.id, task]));
    for (const { id, token } of this.#fleet.asked) {
      if (id !== undefined && !known.has(id))
        this.#complain(`${token} was accepted as ${id}, which is not there`);
    }
    for (const id of this.#fleet.cancelled) {
      if (known.get(id)?.cancel === undefined)
        this.#complain(`the cancel of ${id} was accepted, and is lost`);
    }
    for (const task of now.tasks) await this.#lookAt(task);
  }

  async #lookAt(task: Task): Promise<void> {
    if (!isFinal(task.state) || this.#ended.has(task.id)) return;
    this.#ended.add(task.id);
    if (task.state === "failed") this.#complain(`${task.id} has failed: ${JSON.stringify(task.failure)}`);
    const wrong = task.state === "succeeded" ? await this.#fleet.inspect(task) : undefined;
    if (wrong !== undefined) this.#complain(wrong);
  }

  /** Swift is sent nothing that it has acknowledged. */
  #countParts(): void {
    const sent = this.#fleet.store.sent ?? [];
    const { parts, again } = repeats(sent);
    for (const { earlier, now } of parts.slice(this.figures.sentTwice)) {
      this.#complain(`part ${now.part} was acknowledged in run ${earlier.run}, and sent in run ${now.run}`);
    }
    this.figures.sentTwice = parts.length;
    this.figures.again = again;
    this.figures.acknowledged = sent.filter(({ status }) => status !== undefined && status < 300).length;
  }

  /** One line with all figures. */
  tell(): string {
    const { tasks, events } = this.#evidence;
    const states = Object.groupBy(tasks, ({ state }) => state);
    const counts = Object.entries(states).map(([state, of]) => `${of.length} ${state}`);
    const { kills, runs, ...rest } = this.figures;
    return JSON.stringify({
      seed: SEED,
      kills,
      tasks: `${tasks.length}: ${counts.join(", ")}`,
      cancelsAccepted: this.#fleet.cancelled.size,
      cancelsHonoured: states.canceled?.filter(({ id }) => this.#fleet.cancelled.has(id)).length ?? 0,
      wentOnAndSucceeded: states.succeeded?.filter(({ id }) => this.#interrupted.has(id)).length ?? 0,
      events: events.length,
      mostAttempts: Math.max(...tasks.map(({ attempts }) => attempts)),
      running: { ...runs, sum: undefined, mean: Math.round((10 * runs.sum) / kills) / 10 },
      ...rest,
      seconds: Math.round((performance.now() - this.#began) / 1000),
    });
  }

  #complain(text: string): void {
    this.complaints.push(`${this.#where}: ${text}`);
  }
}
