/**
 * Runs of zeros as references to one object of zeros, named many times in the manifest. Only that object is sent, at
 * most a thousandth of the image or 2 MiB.
 */
import { alignUp, KiB, MiB } from "../../bytes/units.ts";
import type { SwiftInfo } from "./info.ts";

/**
 * When Swift reads a large object out, it serves entries shorter than this at one a second after the first ten of a
 * request ("rate_limit_under_size", proxy-server.conf).
 */
export const SLOW_ENTRY = MiB;
const SLOW_ENTRIES_ALLOWED = 8;

/** Keeps one object's upload short, and its entries few enough: 16,384 for each TiB. */
const MAX_ZERO_OBJECT = 64 * MiB;
const LEAST_HALVING = 64 * KiB;

/** Part of a run: the first `length` bytes of the object of `size` zeros. */
export interface ZeroPiece {
  readonly size: number;
  readonly length: number;
}

export interface ZeroPlan {
  /** Bytes of each object of zeros that is needed; none or one where `range` is heeded. */
  readonly objects: readonly number[];
  /** For each run, in order. */
  readonly pieces: readonly (readonly ZeroPiece[])[];
}

/**
 * `runs`: bytes of each run, as long as possible. `total`: bytes of the whole image. `ranges`: whether an entry may
 * name part of an object; where not, what is left over of a run is made of smaller objects.
 */
export function planZeros(
  runs: readonly number[],
  total: number,
  limits: Pick<SwiftInfo, "ranges" | "maxObjectBytes">,
): ZeroPlan {
  const longest = runs.reduce((most, run) => Math.max(most, run), 0);
  if (longest === 0) return { objects: [], pieces: runs.map(() => []) };
  const size = (least: number) =>
    Math.min(longest, limits.maxObjectBytes, MAX_ZERO_OBJECT, Math.max(least, alignUp(total / 1024, MiB)));
  let chosen = size(MiB);
  let pieces = runs.map((run) => cut(run, chosen, limits.ranges));
  if (limits.ranges && countSlow(pieces) > SLOW_ENTRIES_ALLOWED) {
    // From two such lengths on, any run can be cut into pieces none of which is slow.
    chosen = size(2 * SLOW_ENTRY);
    pieces = runs.map((run) => cut(run, chosen, limits.ranges));
  }
  return { objects: [...new Set(pieces.flat().map((piece) => piece.size))], pieces };
}

function cut(run: number, size: number, ranges: boolean): ZeroPiece[] {
  const whole = Math.floor(run / size);
  const rest = run - whole * size;
  const pieces: ZeroPiece[] = new Array(whole).fill({ size, length: size });
  if (rest === 0) return pieces;
  if (!ranges) return [...pieces, ...halvings(rest).map((length) => ({ size: length, length }))];
  if (rest < SLOW_ENTRY && whole > 0 && size + rest >= 2 * SLOW_ENTRY) {
    const half = Math.ceil((size + rest) / 2);
    pieces[whole - 1] = { size, length: half };
    return [...pieces, { size, length: size + rest - half }];
  }
  return [...pieces, { size, length: rest }];
}

/** Powers of two and a rest below the least of them: however many runs there are, few lengths come out. */
function halvings(length: number): number[] {
  const out: number[] = [];
  let rest = length;
  for (let power = MAX_ZERO_OBJECT; power >= LEAST_HALVING; power /= 2) {
    for (; rest >= power; rest -= power) out.push(power);
  }
  return rest > 0 ? [...out, rest] : out;
}

function countSlow(pieces: readonly (readonly ZeroPiece[])[]): number {
  let slow = 0;
  for (const run of pieces) for (const piece of run) if (piece.length < SLOW_ENTRY) slow += 1;
  return slow;
}
