/** Deflate of many units in a row, at the first level by whichever library is best at what comes. */
import type { Libisal } from "../native/libisal.ts";
import { type Deflate, FIRST_LEVEL } from "./deflate.ts";

/** Codes the next unit. Good until the next call. */
export type UnitDeflater = (bytes: Uint8Array, level: number) => Uint8Array;

/**
 * Where units keep more than this part of their size, ISA-L takes half of libdeflate's time, and less than 1 % more
 * room; where they keep less, it gains little and loses up to 5 %.
 */
const KEPT = 0.5;

/**
 * What a unit will keep, the one before it tells: they are mostly of one file. Equal rows of units give equal bytes.
 * @param isal asked for when it is needed, since most transfers never do.
 */
export function unitDeflater(deflate: Deflate, isal: () => Libisal | undefined): UnitDeflater {
  let kept = 0;
  return (bytes, level) => {
    const fast = level === FIRST_LEVEL && kept > KEPT ? isal()?.deflate(bytes, "final block") : undefined;
    const coded = fast ?? deflate.deflate(bytes, level);
    kept = coded.length / bytes.length;
    return coded;
  };
}
