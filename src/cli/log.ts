/** The log that a command keeps when it is asked to. */
import { type Command, Option } from "commander";
import type { TransferEvents } from "../engine/transfer-image.ts";
import { Fault } from "../fault/fault.ts";
import { LOG_LEVELS, type Log, type LogLevel, NO_LOG, openLog } from "../telemetry/log.ts";
import type { CliContext } from "./context.ts";

export interface LogOptions {
  readonly log?: string;
  readonly logLevel: LogLevel;
}

export function addLogOptions(command: Command): Command {
  return command
    .option("--log <file>", "append what happens to this file, as JSON lines")
    .addOption(
      new Option("--log-level <level>", "debug also notes each part").choices(LOG_LEVELS).default("info"),
    );
}

/**
 * Does a command's work, and notes what was asked for, what came of it, and how long it took.
 * @param work returns what is to be noted of its result.
 */
export async function withLog(
  { signal }: CliContext,
  { log: path, logLevel }: LogOptions,
  request: Readonly<Record<string, unknown>>,
  work: (log: Log) => Promise<Readonly<Record<string, unknown>>>,
): Promise<void> {
  const started = performance.now();
  using log = path === undefined ? NO_LOG : await openLog(path, logLevel);
  const seconds = (): number => Math.round(performance.now() - started) / 1000;
  log.note("info", "request", request);
  try {
    log.note("info", "done", { ...(await work(log)), seconds: seconds() });
  } catch (error) {
    const fault = Fault.from(signal.aborted ? signal.reason : error, "diskferry");
    const { code, message, details } = fault;
    log.note("error", "fault", { code, message, details, seconds: seconds() });
    throw error;
  }
}

/** Notes the events of a transfer on their way to whoever shows them. */
export function loggedEvents(events: TransferEvents, log: Log): TransferEvents {
  return {
    onStage(stage) {
      log.note("info", "stage", { stage });
      events.onStage(stage);
    },
    onProgress: (sample) => events.onProgress(sample),
    onPlan: (plan) => log.note("info", "plan", { ...plan }),
    onLanded: (part) => log.note("debug", "landed", { ...part }),
    onResume(landed, parts) {
      log.note("info", "resume", { landed, parts });
      events.onResume(landed, parts);
    },
    onRetry(fault, waitMs) {
      const { code, message } = fault;
      log.note("warn", "retry", { code, message, waitMs: Math.round(waitMs) });
      events.onRetry(fault, waitMs);
    },
  };
}
