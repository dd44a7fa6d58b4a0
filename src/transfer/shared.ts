/** What the threads of one transfer share: counters, a stop flag, a bandwidth clock and the offset chain. */
import { setTimeout as sleep } from "node:timers/promises";
import { Fault } from "../fault/fault.ts";

/** Byte counters of a transfer. Only the store's acknowledgement makes bytes `committed`. */
export interface Progress {
  /** Guest bytes read and decoded. */
  readonly read: number;
  /** Output bytes produced. */
  readonly encoded: number;
  /** Bytes handed to sockets and files. */
  readonly sent: number;
  /** Guest bytes of the plan that the destination has acknowledged. */
  readonly committed: number;
  /** Guest bytes of the plan that may hold data. */
  readonly total: number;
}

const WORDS = { read: 0, encoded: 1, sent: 2, committed: 3, rate: 4, clock: 5, length: 6 } as const;
export type Counter = "read" | "encoded" | "sent" | "committed";

/** Long enough not to matter, short enough that a missed wake-up is no hang. */
const CHAIN_POLL_MS = 500;
/** Longer than all attempts of a segment before this one can take. */
const CHAIN_WAIT_MS = 1_800_000;
const THROTTLED_STEP = 64 * 1024;
/** One wait of the bandwidth limit: a canceled transfer notices between waits. */
const THROTTLE_STEP_MS = 250;

export class Shared {
  readonly memory: SharedArrayBuffer;
  readonly #stop: Int32Array;
  readonly #words: BigInt64Array;
  readonly #chain: BigInt64Array;

  constructor(memory: SharedArrayBuffer) {
    this.memory = memory;
    this.#stop = new Int32Array(memory, 0, 2);
    this.#words = new BigInt64Array(memory, 8, WORDS.length);
    this.#chain = new BigInt64Array(memory, 8 + 8 * WORDS.length);
  }

  /** @param slots entries of the offset chain: one more than there are segments, or 0 when it is not used. */
  static create(slots: number): Shared {
    const shared = new Shared(new SharedArrayBuffer(8 + 8 * (WORDS.length + slots)));
    shared.#chain.fill(-1n);
    return shared;
  }

  count(counter: Counter, bytes: number): void {
    Atomics.add(this.#words, WORDS[counter], BigInt(bytes));
  }

  counted(counter: Counter): number {
    return Number(Atomics.load(this.#words, WORDS[counter]));
  }

  /** Tells every thread to stop at its next chunk. */
  stop(): void {
    Atomics.store(this.#stop, 0, 1);
    Atomics.notify(this.#stop, 0);
  }

  get stopped(): boolean {
    return Atomics.load(this.#stop, 0) !== 0;
  }

  /** @throws Fault CANCELED once `stop` was called. */
  throwIfStopped(): void {
    if (this.stopped) throw new Fault("CANCELED", "the transfer was stopped");
  }

  /** Bytes per second for all threads together; 0 lifts the limit. May change at any time. */
  set bandwidth(bytesPerSecond: number) {
    Atomics.store(this.#words, WORDS.rate, BigInt(Math.round(bytesPerSecond)));
    // Waits that were reckoned at the old rate are over.
    Atomics.store(this.#words, WORDS.clock, 0n);
  }

  /**
   * Bytes that may be handed on at once: under a limit small steps, so that no connection falls silent while
   * another has its turn.
   */
  get step(): number {
    return Atomics.load(this.#words, WORDS.rate) === 0n ? Number.POSITIVE_INFINITY : THROTTLED_STEP;
  }

  /** Waits until `bytes` more may be sent. */
  async throttle(bytes: number): Promise<void> {
    const rate = Atomics.load(this.#words, WORDS.rate);
    if (rate === 0n) return;
    const cost = (BigInt(bytes) * 1_000_000_000n) / rate;
    let due: bigint;
    for (;;) {
      const clock = Atomics.load(this.#words, WORDS.clock);
      const now = process.hrtime.bigint();
      due = clock > now ? clock : now;
      if (Atomics.compareExchange(this.#words, WORDS.clock, clock, due + cost) === clock) break;
    }
    for (;;) {
      this.throwIfStopped();
      if (Atomics.load(this.#words, WORDS.rate) !== rate) return this.throttle(bytes);
      const leftMs = Number(due - process.hrtime.bigint()) / 1e6;
      if (leftMs <= 0) return;
      await sleep(Math.min(leftMs, THROTTLE_STEP_MS));
    }
  }

  /**
   * The offset chain orders segments in one output file: a segment may stand as soon as the one before it knows its
   * length. Segments are started in order, so the earliest never waits and no cycle can arise.
   * @throws Fault INTERNAL when the segment is known to stand elsewhere.
   */
  setOffset(segment: number, offset: number): void {
    const known = Atomics.compareExchange(this.#chain, segment, -1n, BigInt(offset));
    if (known !== -1n && known !== BigInt(offset)) {
      throw new Fault(
        "INTERNAL",
        `segment ${segment} stands at ${known} in the unfinished file, but now belongs at ${offset}: ` +
          "the codec gives other bytes than it gave before; begin anew with --restart",
      );
    }
    Atomics.notify(this.#chain, segment);
  }

  /** The offset of a segment, or undefined while it is not known. */
  offset(segment: number): number | undefined {
    const offset = Atomics.load(this.#chain, segment);
    return offset < 0n ? undefined : Number(offset);
  }

  /**
   * @throws Fault TIMEOUT when the segments before do not get on: the job frees its lane for them, and is repeated.
   */
  async waitForOffset(segment: number): Promise<number> {
    const end = performance.now() + CHAIN_WAIT_MS;
    for (;;) {
      const offset = this.offset(segment);
      if (offset !== undefined) return offset;
      this.throwIfStopped();
      if (performance.now() > end) {
        throw new Fault("TIMEOUT", `segment ${segment} waited too long for the segments before it`);
      }
      const wait = Atomics.waitAsync(this.#chain, segment, -1n, CHAIN_POLL_MS);
      if (wait.async) await wait.value;
    }
  }
}
