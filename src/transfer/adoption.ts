/** Which coded units of a segment are stored as they stand in the sources, and where in the segment. */
import { endOf, type Range } from "../bytes/range.ts";
import { SECTOR } from "../bytes/units.ts";
import type { CodedPiece, Coding, Piece, UnitTable } from "../format/format.ts";

/**
 * Bytes of a source that are copied in one go. How long a coded stream is nobody knows without decoding it: its last
 * sector goes on with whatever stands next. So units whose sectors touch or overlap are copied together, and what
 * they share in the source they share in the output:
 *
 *     source   … |  unit 7 ··│·· unit 5 ····│· unit 6 ···xx|         (│ inside a sector, | at its border, x slack)
 *     output           |  unit 7 ··│·· unit 5 ····│· unit 6 ···xx|   (at the same offset modulo a sector)
 */
export interface CodedRun {
  readonly source: number;
  readonly offset: number;
  readonly length: number;
  /** Offset in the segment, not before the end of the run before. */
  readonly place: number;
}

export interface Adoption {
  readonly runs: readonly CodedRun[];
  /** Coded bytes and place of each adopted unit; 0 bytes for all others. */
  readonly table: Required<UnitTable>;
}

/** A cluster of the output is counted once for each unit that touches it, and counts of qcow2 have 16 bits. */
const MOST_UNITS = 65_535;

interface WholeUnit {
  readonly index: number;
  readonly piece: CodedPiece;
}

/**
 * Adopts units that one piece of the coding covers as a whole. Adopted units take no more bytes than they would plain,
 * gaps and slack included, whatever the tables of an image say: a run that would take more is left to be decoded.
 */
export function adoptUnits(pieces: readonly Piece[], range: Range, coding: Coding): Adoption {
  const count = Math.ceil(range.length / coding.unit);
  const table = { units: new Uint32Array(count), places: new Uint32Array(count) };
  const runs: CodedRun[] = [];
  let adopted = 0;
  let end = 0;
  for (const members of joined(wholeUnits(pieces, range, coding))) {
    const run = spanned(members, end);
    const most = adopted + members.length;
    if (most > MOST_UNITS || run.place + run.length > most * coding.unit) continue;
    for (const { index, piece } of members) {
      table.units[index] = piece.size;
      table.places[index] = run.place + piece.offset - run.offset;
    }
    runs.push(run);
    adopted = most;
    end = run.place + run.length;
  }
  return { runs, table };
}

/** In the order of their coded bytes: writers with several lanes store units out of guest order. */
function wholeUnits(pieces: readonly Piece[], range: Range, { codec, unit }: Coding): WholeUnit[] {
  const found: WholeUnit[] = [];
  let offset = range.offset;
  for (const piece of pieces) {
    const whole = piece.kind === "coded" && piece.unit === unit && piece.length === unit;
    if (whole && piece.codec === codec && offset % unit === 0 && offset + unit <= endOf(range)) {
      found.push({ index: (offset - range.offset) / unit, piece });
    }
    offset += piece.length;
  }
  return found.sort(({ piece: a }, { piece: b }) => a.source - b.source || a.offset - b.offset);
}

/** Neighbours whose bytes touch or overlap. */
function* joined(units: readonly WholeUnit[]): Generator<readonly WholeUnit[]> {
  let run: WholeUnit[] = [];
  let end = 0;
  for (const one of units) {
    const { source, offset, size } = one.piece;
    if (run.length > 0 && (run[0]?.piece.source !== source || offset > end)) {
      yield run;
      run = [];
    }
    end = run.length === 0 ? offset + size : Math.max(end, offset + size);
    run.push(one);
  }
  if (run.length > 0) yield run;
}

/** The bytes of a run, placed at the first fitting offset from `from` on. */
function spanned(members: readonly WholeUnit[], from: number): CodedRun {
  const { source = 0, offset = 0 } = members[0]?.piece ?? {};
  const length = members.reduce((most, { piece }) => Math.max(most, piece.offset + piece.size - offset), 0);
  const gap = (offset - from) % SECTOR;
  return { source, offset, length, place: from + (gap < 0 ? gap + SECTOR : gap) };
}
