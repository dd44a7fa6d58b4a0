/**
 * THE RUN'S WAY, one step after the other for all disks of a task:
 *
 *     open → plan → data → seal → may commit? → publish → verify
 *
 * The disks move their data one after the other, with all lanes that the run gets; every other step is taken by all of
 * them together, so that a task is cancelled as a whole or published as a whole (D1).
 */
import { journalFor, landImage, readBack, verifyLanded } from "../engine/land-image.ts";
import type { OpenedImage } from "../engine/open-image.ts";
import { encryptedDestination } from "../store/encrypted.ts";
import type { Destination } from "../store/store.ts";
import type { Verification } from "../task/spec.ts";
import type { LandedObject, TaskResult } from "../task/task.ts";
import type { Producer } from "../transfer/job.ts";
import type { Journal } from "../transfer/journal.ts";
import type { TransferPorts, TransferResult } from "../transfer/request.ts";
import type { HeldTask } from "./held-task.ts";
import { meeting, together, unlessAborted } from "./in-step.ts";
import type { Share } from "./lanes.ts";
import type { Move } from "./move.ts";
import type { SchedulePorts } from "./ports.ts";
import { TaskProgress } from "./progress.ts";
import { writeTargets } from "./task-folder.ts";

/** Memory of one lane that only reads: its chunk, and coded bytes of the largest unit. */
const READING_MEMORY = 8 * 1024 ** 2;

/** What a run has of what all runs share. */
export interface RunShare {
  readonly lanes: Share;
  /** Bytes of memory of all runs together. */
  readonly memory: number;
  /** Bytes per second for this run now; 0: no limit. */
  readonly bandwidth: number;
  /** Told of what is to hear of every change. */
  onBandwidth(change: (bytesPerSecond: number) => void): void;
}

interface OpenMove {
  readonly move: Move;
  readonly opened: OpenedImage;
  readonly destination: Destination;
  readonly journal: Journal;
}

/** @throws Fault; the reason of the held task's signal when the run ends before its task does. */
export async function landMoves(
  moves: readonly Move[],
  held: HeldTask,
  folder: string,
  share: RunShare,
  ports: SchedulePorts,
): Promise<TaskResult> {
  const { verify } = held.task.spec;
  await using stack = new AsyncDisposableStack();
  await writeTargets(
    folder,
    moves.map(({ destination, object }) => ({ destination: destination.name, object })),
  );
  const open: OpenMove[] = [];
  for (const move of moves) open.push(await openMove(move, stack, folder, ports, held.beginsNothing));
  await held.report({ kind: "opened" });
  const results = await landAll(open, held, share, ports);
  if (verify === "read back" || moves.some(({ reads }) => reads !== undefined)) {
    await held.report({ kind: "verifying" });
  }
  const reading = { producer: turnTaking(ports.producer, share.lanes), onProgress: () => {} };
  const objects: LandedObject[] = [];
  for (const [index, { move, opened, destination }] of open.entries()) {
    const result = results[index];
    if (result === undefined) continue;
    const { reads } = move;
    if (reads !== undefined)
      await readBack(destination, reads.format, reads.guestDigest, reading, held.signal);
    const known = result.guestDigest;
    const guestDigest =
      verify === "read back"
        ? await verifyLanded(move.write.format, opened, known, destination, reading, held.signal)
        : known;
    objects.push(
      landedObject(move, { ...result, ...(guestDigest === undefined ? {} : { guestDigest }) }, verify),
    );
  }
  return { objects };
}

async function openMove(
  move: Move,
  stack: AsyncDisposableStack,
  folder: string,
  { places }: SchedulePorts,
  signal: AbortSignal,
): Promise<OpenMove> {
  const opened = stack.use(await move.open(signal));
  const place = await places.destination(move.destination, move.object, signal);
  const destination = stack.use(move.cipher === undefined ? place : encryptedDestination(place, move.cipher));
  const journal = stack.use(await journalFor(destination, folder));
  return { move, opened, destination, journal };
}

async function landAll(
  open: readonly OpenMove[],
  held: HeldTask,
  share: RunShare,
  { producer, metrics }: SchedulePorts,
): Promise<TransferResult[]> {
  using progress = new TaskProgress(held, open.length, metrics);
  const { kind } = held.task.spec;
  const planned = meeting(open.length, () => held.report({ kind: "planned", total: progress.total }));
  const sealing = meeting(open.length, async () => {
    await progress.finish();
    await held.report({ kind: "sealing" });
  });
  const committing = meeting(open.length, () => held.report({ kind: "committing" }));
  const dataLanded = open.map(() => Promise.withResolvers<void>());

  const hooks = (index: number, journal: Journal, signal: AbortSignal): TransferPorts => {
    const begins = AbortSignal.any([signal, held.beginsNothing]);
    let memory = 0;
    return {
      producer,
      journal,
      async onPlan({ total, laneMemory }) {
        memory = laneMemory;
        progress.planned(index, total);
        await planned(begins);
        await unlessAborted(dataLanded[index - 1]?.promise ?? Promise.resolve(), begins);
      },
      lease: () => share.lanes.lease(memory, begins),
      onBandwidth: (change) => share.onBandwidth(change),
      onProgress: (sample) => progress.begun(index, sample),
      onLanded: () => progress.partLanded(),
      onResume: () => {},
      onRetry: ({ code }) => metrics.retried(kind, code),
      async onSealing() {
        progress.landed(index);
        dataLanded[index]?.resolve();
        await sealing(signal);
      },
      mayCommit: () => committing(signal),
    };
  };
  return await together(
    open,
    ({ move, opened, destination, journal }, index, signal) =>
      landImage(
        {
          ...move.write,
          ...move.fit?.(opened),
          place: move.object,
          adopt: "coded units",
          ...(move.moves === undefined ? {} : { moves: move.moves }),
          concurrency: producer.lanes,
          memory: share.memory,
          bandwidth: share.bandwidth,
          existing: "refuse",
          // The journal is the task's own: what differs is how the task would go on now, not what it is to make.
          unlike: "discard",
        },
        opened,
        destination,
        hooks(index, journal, signal),
        signal,
      ),
    held.signal,
  );
}

function landedObject(move: Move, result: TransferResult, verified: Verification): LandedObject {
  return { ...move.landed(result), object: move.object, size: result.object.size, verified };
}

/** Reads in lanes that are leased for each job. */
function turnTaking(producer: Producer, lanes: Share): Producer {
  return {
    lanes: producer.lanes,
    threads: producer.threads,
    async produce(job, signal) {
      using _lease = await lanes.lease(READING_MEMORY, signal);
      return producer.produce(job, signal);
    },
  };
}
