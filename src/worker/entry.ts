/** What a pool thread runs. The only module of the program with a default export: Piscina asks for it. */

import { Fault } from "../fault/fault.ts";
import type { UnitEncoder } from "../format/format.ts";
import type { PackedShape, SegmentJob, SegmentOutcome } from "../transfer/job.ts";
import { LaneBuffers } from "../transfer/lane-buffers.ts";
import { runJob } from "../transfer/run-job.ts";
import { handOver } from "./hand-over.ts";

const buffers = new LaneBuffers();

async function encoder(shape: PackedShape): Promise<UnitEncoder> {
  const { encoding } = shape;
  // Loaded by the first packed job: flat ones know no format.
  const { formatNamed } = await import("../format/registry.ts");
  const made = formatNamed(encoding.format).writer.encoder?.(encoding);
  if (made === undefined) throw new Fault("INTERNAL", `${encoding.format} has no unit encoder`);
  return made;
}

export default async function segment(job: SegmentJob): Promise<SegmentOutcome> {
  return handOver(await runJob(job, { buffers, encoder }));
}
