/** Runs one segment job in the thread it is called in: opens what the job needs, and closes it. */
import { Fault } from "../fault/fault.ts";
import type { UnitEncoder } from "../format/format.ts";
import { openRecipe } from "../source/recipe.ts";
import type { Source } from "../source/source.ts";
import type { PackedShape, SegmentJob, SegmentOutcome } from "./job.ts";
import type { LaneBuffers } from "./lane-buffers.ts";
import { produce } from "./produce.ts";
import { Shared } from "./shared.ts";

/** How soon a wait on the network notices that the transfer was stopped. */
const STOP_POLL_MS = 100;

export interface Thread {
  readonly buffers: LaneBuffers;
  encoder(shape: PackedShape): Promise<UnitEncoder>;
}

/** Never throws: a failure is an outcome, since errors lose their class between threads. */
export async function runJob(job: SegmentJob, thread: Thread): Promise<SegmentOutcome> {
  const shared = new Shared(job.shared);
  const controller = new AbortController();
  const poll = setInterval(() => {
    if (shared.stopped) controller.abort(new Fault("CANCELED", "the transfer was stopped"));
  }, STOP_POLL_MS);
  const sources: Source[] = [];
  try {
    for (const recipe of job.sources) sources.push(await openRecipe(recipe));
    const receipt = await produce(
      job,
      { buffers: thread.buffers, encoder: (shape) => thread.encoder(shape), sources, shared },
      controller.signal,
    );
    return { ok: true, receipt };
  } catch (error) {
    return { ok: false, fault: Fault.from(error, `part ${job.number}`).toWire() };
  } finally {
    clearInterval(poll);
    for (const source of sources) await source[Symbol.asyncDispose]();
  }
}
