/** A disk of which little is data and all of it is spread: many parts in any format, and few bytes to move. */
import { createCipheriv } from "node:crypto";
import { closeSync, ftruncateSync, openSync, writeSync } from "node:fs";

const MiB = 1024 ** 2;

export interface Spread {
  readonly runs: number;
  /** Bytes from the beginning of one run of data to that of the next. */
  readonly apart: number;
  /** Bytes of a run. */
  readonly data: number;
}

/** As raw each run is a part of its own, even in Swift, which likes none below a MiB. */
export const SPREAD: Spread = { runs: 24, apart: 4 * MiB, data: MiB };

/** Writes it as a sparse raw file. */
export function writeSpread(path: string, { runs, apart, data }: Spread, seed = 1): void {
  const cipher = createCipheriv("aes-128-ctr", Buffer.alloc(16, seed), Buffer.alloc(16));
  const zeros = Buffer.alloc(data);
  const file = openSync(path, "wx");
  ftruncateSync(file, runs * apart);
  for (let run = 0; run < runs; run += 1) writeSync(file, cipher.update(zeros), 0, data, run * apart);
  closeSync(file);
}
