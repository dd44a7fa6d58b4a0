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

/** Keeps the object's upload short, and its entries few enough to nest: 16,384 for each TiB. */
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

export interface ZeroRules extends Pick<SwiftInfo, "ranges" | "maxObjectBytes"> {
  /** No more pieces than this, if larger objects of zeros can bring them down to it. */
  readonly maxPieces: number;
}

/**
 * `runs`: bytes of each run, as long as possible. `total`: bytes of the whole image. Where `ranges` are not heeded,
 * what is left over of a run is made of smaller objects.
 */
export function planZeros(runs: readonly number[], total: number, rules: ZeroRules): ZeroPlan {
  const most = Math.min(
    runs.reduce((longest, run) => Math.max(longest, run), 0),
    rules.maxObjectBytes,
  );
  const cutAll = (size: number) => runs.map((run) => cut(run, size, rules.ranges));
  if (most === 0) return { objects: [], pieces: cutAll(1) };
  let size = Math.min(most, MAX_ZERO_OBJECT, Math.max(MiB, alignUp(total / 1024, MiB)));
  let pieces = cutAll(size);
  if (rules.ranges && size < 2 * SLOW_ENTRY && countSlow(pieces) > SLOW_ENTRIES_ALLOWED) {
    // From two such lengths on, any run can be cut into pieces none of which is slow.
    size = Math.min(most, 2 * SLOW_ENTRY);
    pieces = cutAll(size);
  }
  while (size < most && pieces.reduce((sum, run) => sum + run.length, 0) > rules.maxPieces) {
    size = Math.min(most, size * 2);
    pieces = cutAll(size);
  }
  return { objects: [...new Set(pieces.flat().map((piece) => piece.size))], pieces };
}

function cut(run: number, size: number, ranges: boolean): ZeroPiece[] {
  const whole = Math.floor(run / size);
  const rest = run - whole * size;
  const pieces: ZeroPiece[] = new Array(whole).fill({ size, length: size });
  if (rest === 0) return pieces;
  if (!ranges) return [...pieces, ...halvings(rest, size).map((length) => ({ size: length, length }))];
  if (rest < SLOW_ENTRY && whole > 0 && size + rest >= 2 * SLOW_ENTRY) {
    const half = Math.ceil((size + rest) / 2);
    pieces[whole - 1] = { size, length: half };
    return [...pieces, { size, length: size + rest - half }];
  }
  return [...pieces, { size, length: rest }];
}

/** Powers of two and a rest below the least of them: however many runs there are, few lengths come out. */
function halvings(length: number, below: number): number[] {
  const out: number[] = [];
  let rest = length;
  for (let power = 2 ** Math.floor(Math.log2(below)); power >= LEAST_HALVING; power /= 2) {
    for (; rest >= power; rest -= power) out.push(power);
  }
  return rest > 0 ? [...out, rest] : out;
}

function countSlow(pieces: readonly (readonly ZeroPiece[])[]): number {
  let slow = 0;
  for (const run of pieces) for (const piece of run) if (piece.length < SLOW_ENTRY) slow += 1;
  return slow;
}
