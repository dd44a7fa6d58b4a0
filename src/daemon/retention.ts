/** What has ended long ago is forgotten. */
import { setTimeout as sleep } from "node:timers/promises";
import { Fault } from "../fault/fault.ts";
import type { TaskRecord } from "../record/record.ts";
import type { Note } from "../schedule/ports.ts";

export interface RetentionOptions {
  /** Milliseconds that an ended task is kept. */
  readonly taskMs: number;
  /** Milliseconds that a client token is kept. */
  readonly tokenMs: number;
  /** Milliseconds that a note of the audit log is kept. */
  readonly auditMs: number;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly note: Note;
}

const EVERY_MS = 60 * 60_000;
/** The record stands still while it forgets: a little at a time. */
const AT_ONCE = 1000;
const BREATH_MS = 100;

/** Forgets now and every hour, until the signal fires. Never throws. */
export async function keepForgetting(
  record: Pick<TaskRecord, "forget">,
  { taskMs, tokenMs, auditMs, now, note }: RetentionOptions,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    let waitMs = EVERY_MS;
    try {
      const at = now();
      const { tasks, audits, rest } = await record.forget({
        endedBefore: at - taskMs,
        tokensBefore: at - tokenMs,
        auditsBefore: at - auditMs,
        most: AT_ONCE,
      });
      if (tasks > 0 || audits > 0) note("info", "forgotten", { tasks, audits });
      if (rest === "some") waitMs = BREATH_MS;
    } catch (error) {
      const { code, message } = Fault.from(error, "the record");
      note("error", "record-fails", { code, message });
    }
    await sleep(waitMs, undefined, { signal }).catch(() => {});
  }
}
