/** A file that is written by offset, from several threads at once. */
import { closeSync, constants, openSync, writeSync } from "node:fs";
import { isZero } from "../bytes/zero.ts";
import { Fault } from "../fault/fault.ts";
import type { PutTargetFile } from "../store/store.ts";

/**
 * For a thread that nobody waits for: a write goes to the page cache, and the way through the thread pool of libuv and
 * back costs more than that.
 */
export class BlockingFileSink implements Disposable {
  readonly #fd: number;
  readonly #name: string;

  constructor(target: PutTargetFile) {
    this.#name = target.name;
    try {
      this.#fd = openSync(target.path, constants.O_RDWR);
    } catch (error) {
      throw Fault.from(error, target.name);
    }
  }

  /** Writes all of `bytes`. @throws Fault NO_SPACE, IO. */
  write(bytes: Uint8Array, position: number): void {
    try {
      for (let done = 0; done < bytes.length; ) {
        done += writeSync(this.#fd, bytes, done, bytes.length - done, position + done);
      }
    } catch (error) {
      throw Fault.from(error, `${this.#name}: writing at ${position}`);
    }
  }

  /**
   * Writes what is not zero, in steps of `hole` bytes; the rest of a new file stays a hole.
   * @returns the bytes written.
   */
  writeSparse(bytes: Uint8Array, position: number, hole: number): number {
    let written = 0;
    let start: number | undefined;
    for (let at = 0; ; at += hole) {
      const end = Math.min(at, bytes.length);
      const zero = end === bytes.length || isZero(bytes.subarray(end, end + hole));
      if (!zero) start ??= end;
      if (zero && start !== undefined) {
        this.write(bytes.subarray(start, end), position + start);
        written += end - start;
        start = undefined;
      }
      if (end === bytes.length) return written;
    }
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd);
  }
}
