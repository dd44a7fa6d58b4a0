/** What a thread lends to a job. */
import type { UnitEncoder } from "../format/format.ts";
import type { Source } from "../source/source.ts";
import type { PackedShape } from "./job.ts";
import type { LaneBuffers } from "./lane-buffers.ts";
import type { Shared } from "./shared.ts";

export interface Lane {
  readonly sources: readonly Source[];
  readonly shared: Shared;
  readonly buffers: LaneBuffers;
  encoder(shape: PackedShape): Promise<UnitEncoder>;
}
