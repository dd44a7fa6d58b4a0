/** What happens in a daemon: JSON lines on a stream that somebody collects, such as standard output. */
import { jsonLines, type Log, type LogLevel } from "./log.ts";

/** Lines are written as they come, without secrets. Who opened the stream closes it. */
export async function openServerLog(stream: { write(line: string): unknown }, level: LogLevel): Promise<Log> {
  const { pino } = await import("pino");
  const logger = pino(jsonLines(level, pino.stdTimeFunctions.isoTime), {
    write: (line) => void stream.write(line),
  });
  return {
    note: (at, event, fields) => logger[at]({ event, ...fields }),
    [Symbol.dispose]() {},
  };
}
