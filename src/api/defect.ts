/** What is our own fault: the log has all of it, and strangers are told where to look. */
import type { Log } from "../telemetry/log.ts";
import type { Call } from "./call.ts";

export type NoteDefect = (error: unknown, call: Pick<Call, "requestId" | "operation">) => void;

export function defectNote(log: Log): NoteDefect {
  return (error, { requestId, operation }) => {
    const stack = error instanceof Error ? error.stack : undefined;
    log.note("error", "defect", { requestId, operation, error: String(error), stack });
  };
}
