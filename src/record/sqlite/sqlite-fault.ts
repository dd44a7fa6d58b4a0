/** What SQLite says becomes a Fault. */
import { Fault, type FaultCode } from "../../fault/fault.ts";

/** https://www.sqlite.org/rescode.html: the primary code is the low byte of the extended one. */
const PRIMARY: Readonly<Record<number, readonly [FaultCode, string]>> = {
  3: ["PERMISSION", "the file may not be opened"],
  5: ["CONFLICT", "another process uses it"],
  6: ["CONFLICT", "another process uses it"],
  8: ["PERMISSION", "the file or its directory cannot be written"],
  10: ["IO", "the disk failed"],
  11: ["IO", "the file is damaged; restore it from a backup"],
  13: ["NO_SPACE", "the disk is full"],
  14: ["IO", "the file cannot be opened"],
  26: ["FORMAT_MISMATCH", "the file is no SQLite database"],
};

const FOREIGN_KEY = 787;

/** SQLite's extended code, when the error is one of SQLite's. */
function codeOf(error: unknown): number | undefined {
  return error instanceof Error && "errcode" in error && typeof error.errcode === "number"
    ? error.errcode
    : undefined;
}

/** Whether the fault is about an entry that is not there, or that others still need. */
export function breaksReference(error: unknown): boolean {
  return error instanceof Fault && codeOf(error.cause) === FOREIGN_KEY;
}

/** @param name of the file, for the message. */
export function sqliteFault(error: unknown, name: string): Fault {
  const code = codeOf(error);
  const known = code === undefined ? undefined : PRIMARY[code & 0xff];
  if (known === undefined) return Fault.from(error, name);
  return new Fault(known[0], `${name}: ${known[1]}`, { cause: error, details: { sqlite: code ?? 0 } });
}
