/**
 * MD5s of one thread, hashed together. One stream of MD5 keeps a processor busy for a third of what it could do, so
 * bytes wait until other streams have some too, as long as that costs nothing:
 *
 *     hold ── the bytes are sent ──▶ settle ── room for more is made ──▶ hold …
 *
 * A stream that settles waits for those between hold and settle, and not for those between settle and hold: a server
 * that takes bytes from one connection only serves the others once this one runs dry, whereas a source that has
 * nothing to give gains nothing from our waiting.
 */
import { Md5 } from "./md5-lanes.ts";

/**
 * A stream that another has waited for so long is not waited for until it comes back. The buffer of a socket that was
 * just filled keeps its connection busy for as long, so that waiting costs no throughput.
 */
const PATIENCE_MS = 50;

/** One stream. */
export interface Md5Seat {
  /** Takes the next bytes, which must stay as they are while they wait. */
  hold(bytes: Uint8Array): void;
  /** Settles when at most the last `held` of the bytes taken still wait. */
  settle(held: number): void | Promise<void>;
  /** 32 lower-case hex digits. To be called once, when nothing waits. */
  digest(): string;
}

interface Stream {
  readonly md5: Md5;
  /** Oldest first. */
  readonly waiting: Uint8Array[];
  /** Between hold and settle. */
  away: boolean;
}

export class Md5Batcher {
  /** Those that hold bytes, or are away. */
  readonly #streams = new Set<Stream>();
  #batch: { readonly done: Promise<void>; run(): void; begun: boolean } | undefined;

  seat(): Md5Seat {
    const stream: Stream = { md5: new Md5(), waiting: [], away: false };
    return {
      hold: (bytes) => {
        stream.waiting.push(bytes);
        stream.away = true;
        this.#streams.add(stream);
        this.#beginWhenFull();
      },
      settle: (held) => {
        stream.away = false;
        this.#leaveIfIdle(stream);
        this.#beginWhenFull();
        return stream.waiting.length > held ? this.#settle(stream, held) : undefined;
      },
      digest: () => stream.md5.digest(),
    };
  }

  async #settle(stream: Stream, held: number): Promise<void> {
    while (stream.waiting.length > held) {
      const { done } = this.#batch ?? this.#open();
      this.#beginWhenFull();
      await done;
    }
  }

  #open(): { readonly done: Promise<void> } {
    const { promise: done, resolve, reject } = Promise.withResolvers<void>();
    const timer = setTimeout(() => {
      for (const stream of this.#streams) {
        if (stream.waiting.length > 0) continue;
        stream.away = false;
        this.#streams.delete(stream);
      }
      this.#beginWhenFull();
    }, PATIENCE_MS);
    this.#batch = {
      done,
      begun: false,
      run: () => {
        clearTimeout(timer);
        this.#batch = undefined;
        try {
          this.#hash();
          resolve();
        } catch (error) {
          reject(error);
        }
      },
    };
    return this.#batch;
  }

  /** Once the event loop has handed out what it had ready: streams that come now are hashed too. */
  #beginWhenFull(): void {
    const batch = this.#batch;
    if (batch === undefined || batch.begun) return;
    for (const { waiting } of this.#streams) if (waiting.length === 0) return;
    batch.begun = true;
    setImmediate(() => batch.run());
  }

  /** The oldest bytes of each stream. */
  #hash(): void {
    const ready = [...this.#streams].filter(({ waiting }) => waiting.length > 0);
    Md5.update(ready.map(({ md5, waiting }) => ({ stream: md5, bytes: waiting[0] as Uint8Array })));
    for (const stream of ready) {
      stream.waiting.shift();
      this.#leaveIfIdle(stream);
    }
  }

  #leaveIfIdle(stream: Stream): void {
    if (!stream.away && stream.waiting.length === 0) this.#streams.delete(stream);
  }
}
