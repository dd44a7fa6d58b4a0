/** How a command speaks: a bar and a few lines for people on a terminal, JSON lines for everyone else. */
import { Presets, SingleBar } from "cli-progress";
import { formatSize } from "../bytes/units.ts";
import type { Fault } from "../fault/fault.ts";
import type { Progress } from "../transfer/shared.ts";
import type { CliContext } from "./context.ts";

/** A line a second is enough for machines; people see four pictures a second. */
const JSON_MS = 1000;
const BAR_MS = 250;

export interface Reporter {
  stage(name: string): void;
  progress(sample: () => Progress): void;
  note(event: Readonly<Record<string, unknown>>, text: string): void;
  /** The last word: the event for machines, the lines for people. */
  done(event: Readonly<Record<string, unknown>>, lines: readonly string[]): void;
  /** Ends the bar or the ticking. */
  stop(): void;
}

export function createReporter(context: CliContext, json: boolean): Reporter {
  return json || !context.stdout.isTTY ? jsonReporter(context) : barReporter(context);
}

function jsonReporter({ stdout }: CliContext): Reporter {
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

function barReporter({ stdout, stderr }: CliContext): Reporter {
  let bar: SingleBar | undefined;
  let timer: NodeJS.Timeout | undefined;
  let current: (() => Progress) | undefined;
  let started = 0;
  let first = 0;
  let label = "transfer";
  const tick = (): void => {
    if (current === undefined || bar === undefined) return;
    const { committed, read, total } = current();
    const seconds = (performance.now() - started) / 1000;
    const rate = seconds > 0 ? Math.max(0, committed - first) / seconds : 0;
    const left = rate > 0 ? (total - committed) / rate : undefined;
    bar.update(committed, {
      bytes: `${formatSize(committed)} of ${formatSize(total)}`,
      rate: `${formatSize(Math.round(rate))}/s`,
      left:
        committed >= total ? "" : left === undefined ? `read ${formatSize(read)}` : `ETA ${formatTime(left)}`,
      label,
    });
  };
  const end = (): void => {
    clearInterval(timer);
    timer = undefined;
    tick();
    bar?.stop();
    bar = undefined;
  };
  return {
    stage(name) {
      end();
      label = name;
    },
    progress(sample) {
      end();
      current = sample;
      started = performance.now();
      first = sample().committed;
      bar = new SingleBar(
        {
          format: "{label} [{bar}] {percentage}%  {bytes}  {rate}  {left}",
          hideCursor: true,
          stream: stderr,
          clearOnComplete: false,
        },
        Presets.legacy,
      );
      bar.start(Math.max(1, sample().total), sample().committed, { bytes: "", rate: "", left: "", label });
      timer = setInterval(tick, BAR_MS);
    },
    note: (_event, text) => {
      const running = bar !== undefined;
      if (running) stderr.write("\n");
      stderr.write(`${text}\n`);
    },
    done(_event, lines) {
      end();
      for (const line of lines) stdout.write(`${line}\n`);
    },
    stop: end,
  };
}

/** `1:02:03` or `2:03`. */
export function formatTime(seconds: number): string {
  const whole = Math.ceil(seconds);
  const two = (value: number): string => String(value).padStart(2, "0");
  const minutes = Math.floor(whole / 60) % 60;
  const hours = Math.floor(whole / 3600);
  return hours > 0 ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}

/** One line for a person, or one JSON object for a machine. */
export function writeFault({ stdout, stderr }: CliContext, fault: Fault, json: boolean): void {
  if (json) {
    const { code, message, details } = fault;
    stdout.write(
      `${JSON.stringify({ event: "error", code, message, ...(Object.keys(details).length > 0 ? { details } : {}) })}\n`,
    );
  }
  if (!json || stderr.isTTY) stderr.write(`diskferry: ${fault.message} [${fault.code}]\n`);
}
