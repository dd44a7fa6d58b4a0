/** A task in the hands of a run: what the run reports of it, and what others ask of it meanwhile. */
import { Fault, type FaultCode } from "../fault/fault.ts";
import type { TaskRecord } from "../record/record.ts";
import { isRefusal, mustStop, type TaskEvent } from "../task/step.ts";
import { isFinal, type Task } from "../task/task.ts";

/**
 * Why a run ends before its task does. `at the line`: a cancel was accepted, and the task has come as far as it may.
 * `parking`: it goes on later. `lost`: the record says that this run no longer holds the task.
 */
export type Stop = "at the line" | "parking" | "lost";

const WHY: Readonly<Record<Stop, string>> = {
  "at the line": "was cancelled",
  parking: "goes on later",
  lost: "is no longer held by this run",
};

/** What a record may get over: its disk is full or fails for a while, or others use it. */
const PASSING: ReadonlySet<FaultCode> = new Set(["IO", "NO_SPACE", "CONFLICT", "THROTTLED"]);

export class HeldTask {
  readonly #record: TaskRecord;
  readonly #now: () => number;
  readonly #ends = new AbortController();
  readonly #parks = new AbortController();
  readonly #halts = new AbortController();
  /** The signals listen to their controllers only as long as they are held. */
  readonly #parkOrEnd: AbortSignal;
  #task: Task;
  #stop: Stop | undefined;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(task: Task, record: TaskRecord, now: () => number) {
    this.#task = task;
    this.#record = record;
    this.#now = now;
    this.#parkOrEnd = AbortSignal.any([this.#ends.signal, this.#parks.signal]);
  }

  /** As the record has shown it last. */
  get task(): Task {
    return this.#task;
  }

  /** Fires when the run must end now. */
  get signal(): AbortSignal {
    return this.#ends.signal;
  }

  /** Fires when nothing new is to be begun. */
  get beginsNothing(): AbortSignal {
    return this.#parkOrEnd;
  }

  /** Fires when the daemon is about to end. */
  get halted(): AbortSignal {
    return this.#halts.signal;
  }

  get stop(): Stop | undefined {
    return this.#stop;
  }

  /**
   * Tells the record, in the order of the calls. Progress counts in the data stage alone.
   * @throws the reason why the run ends, when the record refuses the event; Fault when the record cannot be written.
   */
  report(event: TaskEvent): Promise<Task> {
    return this.#inTurn(async () => {
      if (event.kind === "progressed" && this.#task.stage !== "data") return this.#task;
      const outcome = await this.#apply(event);
      if (outcome !== undefined && !isRefusal(outcome)) return this.#seen(outcome);
      const now = await this.#record.task(this.#task.id);
      if (now === undefined || !this.#holds(now)) this.#end("lost");
      else this.#seen(now);
      if (this.#ends.signal.aborted) throw this.#ends.signal.reason;
      throw new Fault("INTERNAL", `task ${this.#task.id}: ${outcome?.message ?? "is gone"}`);
    });
  }

  /** Looks at the record: for whoever has heard that something was asked of the task. */
  look(): Promise<Task> {
    return this.#inTurn(async () => {
      const now = await this.#record.task(this.#task.id);
      return now === undefined ? this.#task : this.#seen(now);
    });
  }

  /** Begins nothing new; what is under way may end. */
  park(): void {
    if (this.#stop !== undefined) return;
    this.#stop = "parking";
    this.#parks.abort(this.#reason("parking"));
    // Before its first data nothing is under way that is worth waiting for.
    if (this.#task.stage === "opening" || this.#task.stage === "planning") {
      this.#ends.abort(this.#reason("parking"));
    }
  }

  /** Ends the run now, whatever is under way, cleaning up included; the task goes on later. */
  halt(): void {
    this.#stop ??= "parking";
    this.#ends.abort(this.#reason("parking"));
    this.#halts.abort(this.#reason("parking"));
  }

  /** Whether the task is still in the hands of this run, and not of another or of nobody. */
  #holds({ run, attempts }: Task): boolean {
    return run?.runner === this.#task.run?.runner && attempts === this.#task.attempts;
  }

  /** A record that cannot be written now is no fault of the task: it goes on later. */
  async #apply(event: TaskEvent) {
    try {
      return await this.#record.apply(this.#task.id, event, this.#now());
    } catch (error) {
      const { code, message } = Fault.from(error, "the record");
      const translated = PASSING.has(code) ? "STORE_UNAVAILABLE" : code;
      throw new Fault(translated, `task ${this.#task.id}: ${message}`, { cause: error });
    }
  }

  #seen(task: Task): Task {
    this.#task = task;
    if (isFinal(task.state)) return task;
    if (mustStop(task)) this.#end("at the line");
    return task;
  }

  /** A cancel that is due outranks a wish to park. */
  #end(stop: Stop): void {
    if (this.#stop === undefined || this.#stop === "parking") this.#stop = stop;
    this.#ends.abort(this.#reason(stop));
  }

  #reason(stop: Stop): Fault {
    return new Fault("CANCELED", `task ${this.#task.id} ${WHY[stop]}`, { details: { stop } });
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(work);
    this.#turn = done.catch(() => {});
    return done;
  }
}
