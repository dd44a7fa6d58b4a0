/** What the disks of a task have moved, told to the record: with each percent, and now and then between. */

import { dataProgress } from "../task/bands.ts";
import type { TaskKind } from "../task/spec.ts";
import type { TaskBytes } from "../task/task.ts";
import type { Progress } from "../transfer/shared.ts";
import type { HeldTask } from "./held-task.ts";
import type { ByteStage, RunMetrics } from "./ports.ts";

/** Between two percents of a large disk minutes may pass; the counters are worth a look more often. */
const EVERY_MS = 5000;

type Counters = Omit<TaskBytes, "total">;

const NOTHING: Counters = { read: 0, encoded: 0, sent: 0, committed: 0 };
const STAGES = ["read", "encoded", "sent", "committed"] as const satisfies readonly ByteStage[];

interface Disk {
  total: number;
  /** Absent before its transfer has begun; an object that had landed before never has counters. */
  sample: (() => Progress) | undefined;
  landed: boolean;
}

export class TaskProgress implements Disposable {
  readonly #held: HeldTask;
  readonly #metrics: RunMetrics;
  readonly #kind: TaskKind;
  readonly #disks: readonly Disk[];
  readonly #timer: NodeJS.Timeout;
  #told: Counters = NOTHING;
  #percent = 0;
  #writing: Promise<void> | undefined;

  constructor(held: HeldTask, disks: number, metrics: RunMetrics) {
    this.#held = held;
    this.#metrics = metrics;
    this.#kind = held.task.spec.kind;
    this.#disks = Array.from({ length: disks }, () => ({ total: 0, sample: undefined, landed: false }));
    this.#timer = setInterval(() => this.#write(), EVERY_MS);
    this.#timer.unref();
  }

  get total(): number {
    return this.#disks.reduce((sum, { total }) => sum + total, 0);
  }

  planned(disk: number, total: number): void {
    this.#disk(disk).total = total;
  }

  begun(disk: number, sample: () => Progress): void {
    this.#disk(disk).sample = sample;
    this.partLanded();
  }

  /** All data of the disk is committed. */
  landed(disk: number): void {
    this.#disk(disk).landed = true;
    this.partLanded();
  }

  partLanded(): void {
    if (dataProgress(this.#counted().committed, this.total) > this.#percent) this.#write();
  }

  /** Tells what there is to be told, and resolves when it is told. @throws as `HeldTask.report` does. */
  async finish(): Promise<void> {
    await this.#held.report({ kind: "progressed", bytes: this.#take() });
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#take();
  }

  /** One at a time: what changes meanwhile is told by the next. */
  #write(): void {
    if (this.#writing !== undefined || this.#held.task.stage !== "data") return;
    const counters = this.#counted();
    if (STAGES.every((stage) => counters[stage] === this.#told[stage])) return;
    this.#writing = this.#held
      .report({ kind: "progressed", bytes: this.#take() })
      .then(
        () => undefined,
        // A record that fails is met by the next step of the run, which must know.
        () => undefined,
      )
      .finally(() => {
        this.#writing = undefined;
        this.partLanded();
      });
  }

  #take(): Counters {
    const counters = this.#counted();
    for (const stage of STAGES)
      this.#metrics.moved(this.#kind, stage, Math.max(0, counters[stage] - this.#told[stage]));
    this.#told = counters;
    this.#percent = dataProgress(counters.committed, this.total);
    return counters;
  }

  #counted(): Counters {
    let sum = NOTHING;
    for (const { total, sample, landed } of this.#disks) {
      const { read, encoded, sent, committed } = sample?.() ?? NOTHING;
      sum = {
        read: sum.read + read,
        encoded: sum.encoded + encoded,
        sent: sum.sent + sent,
        committed: sum.committed + (landed ? total : committed),
      };
    }
    return sum;
  }

  #disk(index: number): Disk {
    const disk = this.#disks[index];
    if (disk === undefined) throw new RangeError(`there is no disk ${index}`);
    return disk;
  }
}
