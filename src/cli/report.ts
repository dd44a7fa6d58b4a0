/** How a command speaks to machines, and what it says when it fails. */
import type { Fault, FaultCode } from "../fault/fault.ts";
import type { Progress } from "../transfer/shared.ts";
import type { CliContext } from "./context.ts";

/** A line a second is enough for machines. */
const JSON_MS = 1000;

export interface Reporter {
  stage(name: string): void;
  progress(sample: () => Progress): void;
  note(event: Readonly<Record<string, unknown>>, text: string): void;
  /** The last word: the event for machines, the lines for people. */
  done(event: Readonly<Record<string, unknown>>, lines: readonly string[]): void;
  /** Ends the bar or the ticking. */
  stop(): void;
}

export function jsonReporter({ stdout }: CliContext): Reporter {
  const write = (event: Readonly<Record<string, unknown>>): void => {
    stdout.write(`${JSON.stringify(event)}\n`);
  };
  let timer: NodeJS.Timeout | undefined;
  let current: (() => Progress) | undefined;
  let stageName: string | undefined;
  const tick = (): void => {
    if (current === undefined) return;
    const { read, encoded, sent, committed, total } = current();
    write({
      event: "progress",
      ...(stageName === "verify" ? { stage: stageName } : {}),
      read,
      encoded,
      sent,
      committed,
      total,
    });
  };
  return {
    stage(name) {
      stageName = name;
    },
    progress(sample) {
      current = sample;
      tick();
      timer ??= setInterval(tick, JSON_MS);
    },
    note: (event) => write(event),
    done(event) {
      tick();
      clearInterval(timer);
      write({ event: "done", ...event });
    },
    stop: () => clearInterval(timer),
  };
}

/** What to do where the place that is named does not tell it. */
const ADVICE: Readonly<Partial<Record<FaultCode, string>>> = {
  IMAGE_CORRUPT: "fetch the image again from where it is whole",
  IMAGE_TRUNCATED: "fetch the image again from where it is whole",
};

/** One line for a person, or one JSON object for a machine. */
export function writeFault(
  { stdout, stderr }: Pick<CliContext, "stdout" | "stderr">,
  fault: Fault,
  json: boolean,
): void {
  if (json) {
    const { code, message, details } = fault;
    stdout.write(
      `${JSON.stringify({ event: "error", code, message, ...(Object.keys(details).length > 0 ? { details } : {}) })}\n`,
    );
  }
  if (json && !stderr.isTTY) return;
  const advice = ADVICE[fault.code];
  stderr.write(
    `diskferry: ${printable(fault.message)}${advice === undefined ? "" : `; ${advice}`} [${fault.code}]\n`,
  );
}

/** Names of files and words of servers may hold line ends, and sequences that terminals obey. */
function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, "?");
}
