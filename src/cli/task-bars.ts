/** Tasks as bars on a terminal: state, rate and remaining time of each. */
import { MultiBar, Presets, type SingleBar } from "cli-progress";
import { formatSize } from "../bytes/units.ts";
import { formatTime } from "./time.ts";

/** What a bar shows of a task. */
export interface Shown {
  readonly id: string;
  readonly state: string;
  readonly progress: number;
  /** Bytes. */
  readonly committed: number;
  readonly total: number;
  readonly final: boolean;
}

/** Over how long the rate is taken. */
const WINDOW_MS = 15_000;

interface Line {
  readonly bar: SingleBar;
  samples: { readonly at: number; readonly committed: number }[];
}

export class TaskBars implements Disposable {
  readonly #multi: MultiBar;
  readonly #lines = new Map<string, Line>();

  constructor(stream: NodeJS.WriteStream) {
    this.#multi = new MultiBar(
      {
        format: "{label} [{bar}] {percentage}%  {state}  {bytes}  {rate}  {left}",
        hideCursor: true,
        stream,
        clearOnComplete: false,
        barsize: 30,
      },
      Presets.legacy,
    );
  }

  has(id: string): boolean {
    return this.#lines.has(id);
  }

  show(task: Shown, label = task.id): void {
    const line = this.#lines.get(task.id) ?? this.#open(task.id, label);
    const { committed, total, progress, state } = task;
    const now = performance.now();
    line.samples = [
      // What was committed before the run was taken up again has no rate.
      ...line.samples.filter((sample) => now - sample.at < WINDOW_MS && sample.committed <= committed),
      { at: now, committed },
    ];
    const rate = rateOf(line.samples);
    line.bar.update(progress, {
      state,
      bytes: total === 0 ? "" : `${formatSize(committed)} of ${formatSize(total)}`,
      rate: rate > 0 && !task.final ? `${formatSize(Math.round(rate))}/s` : "",
      left: rate > 0 && !task.final ? `ETA ${formatTime((total - committed) / rate)}` : "",
    });
  }

  [Symbol.dispose](): void {
    this.#multi.update();
    this.#multi.stop();
  }

  #open(id: string, label: string): Line {
    const shown = { label, state: "", bytes: "", rate: "", left: "" };
    const line: Line = { bar: this.#multi.create(100, 0, shown), samples: [] };
    this.#lines.set(id, line);
    return line;
  }
}

function rateOf(samples: Line["samples"]): number {
  const [first, last] = [samples[0], samples.at(-1)];
  if (first === undefined || last === undefined || last.at === first.at) return 0;
  return ((last.committed - first.committed) * 1000) / (last.at - first.at);
}
