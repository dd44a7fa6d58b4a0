/** Runs of zeros and data, rounded to what a destination can tell apart. */
import { type Extent, endOf, mergeExtents } from "../bytes/range.ts";
import { alignDown, alignUp } from "../bytes/units.ts";

export interface RunRules {
  /** Every border is a multiple of this, except the end of the disk. */
  readonly alignment: number;
  /** Shorter runs of zeros are taken as data. */
  readonly minZeros: number;
  /** Shorter runs of data are lengthened into the zeros that follow. */
  readonly minData: number;
  /** Guest bytes. */
  readonly size: number;
}

/**
 * Rounds extents outward, so that no data byte is ever called zero:
 *
 *     extents:  |  data  |      zero      | data |   zero   |
 *     aligned:  |   data   |    zero    |  data   |  zero   |
 *
 * then gives up zero runs that are too short, and lengthens data runs that are too short. The result tiles
 * [0, size), and neighbours differ in kind.
 */
export async function* runs(extents: AsyncIterable<Extent>, rules: RunRules): AsyncGenerator<Extent> {
  yield* lengthen(mergeExtents(withoutShortZeros(mergeExtents(outward(extents, rules)), rules)), rules);
}

async function* outward(
  extents: AsyncIterable<Extent>,
  { alignment, size }: RunRules,
): AsyncGenerator<Extent> {
  // Bytes before `done` are already given out as data: an aligned data run may reach into the next extents.
  let done = 0;
  for await (const extent of extents) {
    const end = endOf(extent);
    if (extent.kind === "data") {
      const from = Math.max(done, alignDown(extent.offset, alignment));
      const to = Math.min(size, alignUp(end, alignment));
      if (to > from) yield { kind: "data", offset: from, length: to - from };
      done = Math.max(done, to);
    } else {
      // The last, unfinished alignment unit stays open: data may follow in it.
      const to = end >= size ? size : alignDown(end, alignment);
      if (to > done) {
        yield { kind: "zero", offset: done, length: to - done };
        done = to;
      }
    }
  }
}

async function* withoutShortZeros(extents: AsyncIterable<Extent>, rules: RunRules): AsyncGenerator<Extent> {
  for await (const extent of extents) {
    const short = extent.kind === "zero" && extent.length < rules.minZeros;
    yield short ? { ...extent, kind: "data" } : extent;
  }
}

async function* lengthen(extents: AsyncIterable<Extent>, rules: RunRules): AsyncGenerator<Extent> {
  let data: Extent | undefined;
  for await (const extent of extents) {
    if (data === undefined) {
      if (extent.kind === "data") data = extent;
      else yield extent;
      continue;
    }
    if (extent.kind === "data") {
      data = { ...data, length: data.length + extent.length };
      continue;
    }
    const missing = alignUp(Math.max(0, rules.minData - data.length), rules.alignment);
    const taken = extent.length - missing < rules.minZeros ? extent.length : missing;
    data = { ...data, length: data.length + (missing === 0 ? 0 : taken) };
    if (missing > 0 && taken === extent.length) continue;
    yield data;
    data = undefined;
    const rest = missing === 0 ? 0 : taken;
    yield { kind: "zero", offset: extent.offset + rest, length: extent.length - rest };
  }
  if (data !== undefined) yield data;
}
