/** Group commit: writes that arrive together share one transaction, and so one wait for the disk. */
import { Fault } from "../../fault/fault.ts";
import type { Database } from "./database.ts";

/** Writes of one transaction: more would keep the main thread from its other work for longer than some milliseconds. */
const BATCH = 256;
/** Writes that may wait. Beyond that the disk does not keep up, and callers are told so. */
const MOST_WAITING = 10_000;

interface Pending {
  /** Does the work; what it returns tells the caller about it, once the transaction stands. */
  run(): () => void;
  reject(fault: Fault): void;
}

export class Writer {
  readonly #database: Database;
  readonly #committed: () => void;
  #waiting: Pending[] = [];
  #flush: NodeJS.Immediate | undefined;
  #closed = false;

  /** @param committed is called after each commit. */
  constructor(database: Database, committed: () => void) {
    this.#database = database;
    this.#committed = committed;
  }

  /**
   * Runs `work` in a transaction that it shares with others, but fails alone: when it throws, what it has written is
   * undone, and the others stand. Resolves when the transaction is durable.
   */
  write<T>(work: () => T): Promise<T> {
    const { name } = this.#database;
    if (this.#closed) return Promise.reject(new Fault("CANCELED", `${name}: is closed`));
    if (this.#waiting.length >= MOST_WAITING) {
      return Promise.reject(new Fault("THROTTLED", `${name}: too many changes wait for the disk`));
    }
    return new Promise<T>((resolve, reject) => {
      this.#waiting.push({ run: () => this.#alone(work, resolve, reject), reject });
      this.#flush ??= setImmediate(() => this.#commit());
    });
  }

  /** Runs `work` as `write` does, and then undoes it: only what it throws is of interest. */
  async rehearse(work: () => unknown): Promise<void> {
    const undone = new Error("undone");
    try {
      await this.write(() => {
        work();
        throw undone;
      });
    } catch (error) {
      if (!(error instanceof Fault) || error.cause !== undone) throw error;
    }
  }

  /** Writes what waits; no more is taken. */
  close(): void {
    this.#closed = true;
    clearImmediate(this.#flush);
    while (this.#waiting.length > 0) this.#commit();
  }

  #commit(): void {
    const batch = this.#waiting.slice(0, BATCH);
    this.#waiting = this.#waiting.slice(BATCH);
    this.#flush = this.#waiting.length === 0 ? undefined : setImmediate(() => this.#commit());
    const answers: (() => void)[] = [];
    try {
      this.#database.exec("BEGIN IMMEDIATE");
      for (const pending of batch) answers.push(pending.run());
      this.#database.exec("COMMIT");
    } catch (error) {
      const fault = Fault.from(error, this.#database.name);
      this.#rollBack();
      for (const pending of batch) pending.reject(fault);
      return;
    }
    for (const answer of answers) answer();
    this.#committed();
  }

  #alone<T>(work: () => T, resolve: (value: T) => void, reject: (fault: Fault) => void): () => void {
    this.#database.exec("SAVEPOINT alone");
    try {
      const value = work();
      this.#database.exec("RELEASE alone");
      return () => resolve(value);
    } catch (error) {
      const fault = Fault.from(error, this.#database.name);
      // A full disk may have ended the whole transaction; then this throws, and the batch fails.
      this.#database.exec("ROLLBACK TO alone");
      this.#database.exec("RELEASE alone");
      return () => reject(fault);
    }
  }

  #rollBack(): void {
    try {
      this.#database.exec("ROLLBACK");
    } catch {
      // SQLite has rolled back by itself.
    }
  }
}
