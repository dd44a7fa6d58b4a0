/** Recorded events for many watchers: each new event is read from the record once, for all of them. */
import type { RecordedEvent } from "../record/event.ts";
import type { TaskRecord } from "../record/record.ts";

/** Events kept at hand. Who is further behind reads from the record until he has caught up. */
const KEPT = 4096;
const PAGE = 500;

/** What a watcher asks for. */
export interface Wanted {
  readonly project?: string;
  readonly task?: string;
  readonly kind?: RecordedEvent["kind"];
}

/** One reading of what is new, for all who wait. */
interface Pull {
  readonly done: Promise<void>;
  readonly stop: AbortController;
}

export class EventFeed {
  readonly #record: TaskRecord;
  readonly #kept: number;
  /** Every event after `#floor`, up to `#top`. */
  #recent: readonly RecordedEvent[] = [];
  #floor = 0;
  #top = 0;
  #pull: Pull | undefined;
  #waiting = 0;

  /** @param kept events at hand, at most. */
  constructor(record: TaskRecord, kept = KEPT) {
    this.#record = record;
    this.#kept = kept;
  }

  /**
   * Events after `after`, first from the record, then as they happen, each once and in order. Ends when the signal
   * fires. A watcher that is slow holds up nobody.
   */
  async *watch(after: number, wanted: Wanted, signal: AbortSignal): AsyncGenerator<RecordedEvent, void> {
    // What is at hand may be of tasks that are forgotten: the past comes from the record.
    let seen = yield* this.#replay(after, wanted, signal);
    while (!signal.aborted) {
      while (!signal.aborted && seen < this.#floor) seen = yield* this.#replay(seen, wanted, signal);
      const top = this.#top;
      for (const event of this.#after(seen)) {
        if (signal.aborted) return;
        if (matches(event, wanted)) yield event;
      }
      seen = Math.max(seen, top);
      // More may have come while the consumer was at work.
      if (!signal.aborted && seen >= this.#top) await this.#news(signal);
    }
  }

  /** Up to the newest event of this moment. */
  async *#replay(after: number, wanted: Wanted, signal: AbortSignal): AsyncGenerator<RecordedEvent, number> {
    const newest = await this.#record.lastEvent();
    // What is kept is of long ago, and nobody needs it.
    if (newest - this.#top > this.#kept) this.#startFrom(newest);
    let seen = after;
    for (;;) {
      const page = await this.#record.events({ ...wanted, after: seen, limit: PAGE });
      for (const event of page) {
        if (signal.aborted) return seen;
        yield event;
        seen = event.sequence;
      }
      // All events up to `newest` were there to be read: whatever was not on the page was not asked for.
      if (page.length < PAGE) return Math.max(seen, newest);
    }
  }

  #startFrom(sequence: number): void {
    this.#recent = [];
    this.#floor = sequence;
    this.#top = sequence;
  }

  #after(sequence: number): readonly RecordedEvent[] {
    return this.#recent.slice(this.#recent.findLastIndex((event) => event.sequence <= sequence) + 1);
  }

  /** Waits until there is more at hand, or the signal fires. */
  async #news(signal: AbortSignal): Promise<void> {
    const stopped = Promise.withResolvers<void>();
    const stop = () => stopped.resolve();
    signal.addEventListener("abort", stop, { once: true });
    this.#waiting += 1;
    this.#pull ??= this.#begin();
    try {
      await Promise.race([this.#pull.done, stopped.promise]);
    } finally {
      signal.removeEventListener("abort", stop);
      this.#waiting -= 1;
      if (this.#waiting === 0) this.#end();
    }
  }

  #begin(): Pull {
    const stop = new AbortController();
    const done = this.#read(stop.signal).finally(() => {
      if (this.#pull?.stop === stop) this.#pull = undefined;
    });
    // Each watcher that waits sees the failure; a read that nobody waits for any more fails unseen.
    done.catch(() => {});
    return { done, stop };
  }

  /** Nobody waits any more. */
  #end(): void {
    this.#pull?.stop.abort();
    this.#pull = undefined;
  }

  async #read(signal: AbortSignal): Promise<void> {
    const { newest, events } = await this.#newest(signal);
    // Another reading may have begun since.
    signal.throwIfAborted();
    const recent = [...this.#recent, ...events];
    const dropped = recent.splice(0, Math.max(0, recent.length - this.#kept)).at(-1);
    this.#recent = recent;
    this.#floor = dropped?.sequence ?? this.#floor;
    this.#top = newest;
  }

  async #newest(signal: AbortSignal) {
    const top = this.#top;
    await this.#record.news(top, signal);
    const newest = await this.#record.lastEvent();
    const events = await this.#record.events({ after: top, limit: PAGE });
    return { newest: events.length < PAGE ? newest : (events.at(-1)?.sequence ?? newest), events };
  }
}

function matches(event: RecordedEvent, { project, task, kind }: Wanted): boolean {
  return (
    (project === undefined || event.project === project) &&
    (task === undefined || event.task === task) &&
    (kind === undefined || event.kind === kind)
  );
}
