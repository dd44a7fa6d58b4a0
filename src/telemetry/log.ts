/** What happened, for those who look later: JSON lines in a file. */
import type { LoggerOptions } from "pino";
import { Fault } from "../fault/fault.ts";
import { withoutSecrets } from "./secrets.ts";

export const LOG_LEVELS = ["info", "debug"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export interface Log extends Disposable {
  /** Notes an event. Never throws: a log that cannot be written stops nothing. */
  note(
    level: "debug" | "info" | "warn" | "error",
    event: string,
    fields: Readonly<Record<string, unknown>>,
  ): void;
}

/** For those who want none. */
export const NO_LOG: Log = { note() {}, [Symbol.dispose]() {} };

/**
 * Appends to a file that its owner alone may read. Lines are written at once, so that none is lost when the program
 * ends in haste; what looks like a secret in a URL is left out.
 * @throws Fault NOT_FOUND, PERMISSION, … when the file cannot be opened.
 */
export async function openLog(path: string, level: LogLevel): Promise<Log> {
  // Loaded by those alone who want a log.
  const { pino } = await import("pino");
  const file = openFile(() => pino.destination({ dest: path, append: true, sync: true, mode: 0o600 }), path);
  file.on("error", () => {});
  const logger = pino(jsonLines(level, pino.stdTimeFunctions.isoTime), file);
  return {
    note: (at, event, fields) => logger[at]({ event, ...fields }),
    [Symbol.dispose]: () => file.end(),
  };
}

/** One JSON object a line, without secrets. */
export function jsonLines(level: LogLevel, timestamp: () => string): LoggerOptions {
  return {
    level,
    base: { pid: process.pid },
    timestamp,
    formatters: {
      level: (label) => ({ level: label }),
      log: (fields) => withoutSecrets(fields) as Record<string, unknown>,
    },
  };
}

function openFile<T>(open: () => T, path: string): T {
  try {
    return open();
  } catch (error) {
    throw Fault.from(error, path);
  }
}
