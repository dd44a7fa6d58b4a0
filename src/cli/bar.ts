/** The progress of a command as people see it: a bar with rate and remaining time. */
import { Presets, SingleBar } from "cli-progress";
import { formatSize } from "../bytes/units.ts";
import type { Progress } from "../transfer/shared.ts";
import type { CliContext } from "./context.ts";
import type { Reporter } from "./report.ts";
import { formatTime } from "./time.ts";

/** Four pictures a second. */
const BAR_MS = 250;

export function barReporter({ stdout, stderr }: CliContext): Reporter {
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
