/**
 * Whether the records of a zvhd can be decoded alone. The format is one deflate stream, so a record may refer to bytes
 * of the record before; only a writer that resets its history leaves records independent. A trial cannot tell: in a
 * chained file most records may decode alone by chance. So the writer here marks its files, in the last six bytes of
 * the UUID, which mean nothing to other readers.
 */
import { decodeUnit } from "../../codec/codec.ts";
import { Fault } from "../../fault/fault.ts";
import type { Source } from "../../source/source.ts";
import { BLOCK } from "./header.ts";
import { RECORD_HEADER } from "./record.ts";
import type { RecordTable } from "./record-table.ts";

const MARK = Buffer.from("dferry", "latin1");

/** Records decoded as a trial of the mark. */
const TRIALS = 3;

export function markIndependent(uuid: Uint8Array): Uint8Array {
  const marked = uuid.slice();
  marked.set(MARK, marked.length - MARK.length);
  return marked;
}

/** The file carries the mark, and some records spread over it keep the promise. */
export async function isIndependent(
  source: Source,
  uuid: Uint8Array,
  records: RecordTable,
  signal: AbortSignal,
): Promise<boolean> {
  if (!MARK.equals(uuid.subarray(-MARK.length))) return false;
  const step = Math.max(1, Math.floor((records.count - 1) / TRIALS));
  const unit = new Uint8Array(BLOCK);
  for (let at = records.count - 1; at > 0; at -= step) {
    const { offset, length } = records.get(at);
    const coded = new Uint8Array(length);
    await source.read(coded, offset + RECORD_HEADER, signal);
    try {
      decodeUnit("deflate", coded, unit, source.name);
    } catch (error) {
      if (error instanceof Fault && error.code === "IMAGE_CORRUPT") return false;
      throw error;
    }
  }
  return true;
}
