/**
 * A plan cuts the work into slots before the first data byte is read. Each slot can be produced alone, by any thread,
 * in any order, any number of times.
 */
import type { Range } from "../bytes/range.ts";

/** One part of the output: a run of guest bytes and the part number under which the store knows it. */
export interface Slot {
  /** 1-based, ascending in guest order. */
  readonly number: number;
  /** `zeros`: known by the tables alone to read as zeros, and landed without sending where the store can. */
  readonly kind: "data" | "zeros";
  /** Guest bytes. */
  readonly range: Range;
  /** Guest bytes of the range that may hold data. */
  readonly data: number;
}
