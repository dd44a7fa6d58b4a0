/** Finds the records of a zvhd, which has no index: each record's length tells where the next one stands. */
import { KiB } from "../../bytes/units.ts";
import { Fault } from "../../fault/fault.ts";
import type { Source } from "../../source/source.ts";
import { BLOCK, hasCookie, PAGE } from "./header.ts";
import { isRecord, RECORD_HEADER, readRecordHeader, recordLength, TRAILER } from "./record.ts";
import { RecordTable } from "./record-table.ts";

export interface Walk {
  readonly records: RecordTable;
  /** Offset of the repeat of the first block, which ends the records. */
  readonly end: number;
}

/** Short records stand close together: one read finds several. Behind a long one only the next header is wanted. */
const READ_MANY = 256 * KiB;
const READ_ONE = PAGE;

/**
 * Reads every record's header and trailer, and no payload.
 * @throws Fault IMAGE_CORRUPT, IMAGE_TRUNCATED
 */
export async function walkRecords(source: Source, guestSize: number, signal: AbortSignal): Promise<Walk> {
  const records = new RecordTable();
  const blocks = Math.ceil(guestSize / BLOCK);
  const window = fileWindow(source);
  let last = -1;
  let readAhead = READ_MANY;
  for (let offset = PAGE; ; ) {
    signal.throwIfAborted();
    const place = `${source.name}: offset ${offset}`;
    if (offset + PAGE > source.size) {
      throw new Fault(
        "IMAGE_TRUNCATED",
        `${place}: the file ends after ${records.count} records, without the closing block: it is cut short`,
      );
    }
    const head = await window(offset, RECORD_HEADER, readAhead, signal);
    if (!isRecord(head) && hasCookie("zvhd", head)) return { records, end: offset };
    const { payload, block } = readRecordHeader(head, place);
    if (block <= last || block >= blocks) {
      throw new Fault(
        "IMAGE_CORRUPT",
        block >= blocks
          ? `${place}: guest block ${block} lies outside the disk of ${blocks} blocks`
          : `${place}: guest block ${block} follows block ${last}: records must ascend`,
      );
    }
    const length = recordLength(payload);
    if (offset + length > source.size) {
      throw new Fault(
        "IMAGE_TRUNCATED",
        `${place}: the record of ${length} bytes runs past the end of the file (${source.size})`,
      );
    }
    readAhead = length > READ_MANY / 4 ? READ_ONE : READ_MANY;
    const trailer = await window(offset + length - TRAILER.length, TRAILER.length, readAhead, signal);
    if (!TRAILER.equals(trailer)) {
      throw new Fault("IMAGE_CORRUPT", `${place}: the record of ${length} bytes does not end in "end"`);
    }
    records.add({ block, offset, length: payload });
    last = block;
    offset += length;
  }
}

/** Bytes of the file, read ahead so that the next ones are often at hand. */
function fileWindow(source: Source) {
  const buffer = new Uint8Array(READ_MANY);
  let start = 0;
  let filled = 0;
  return async (
    offset: number,
    length: number,
    readAhead: number,
    signal: AbortSignal,
  ): Promise<Uint8Array> => {
    if (offset < start || offset + length > start + filled) {
      filled = Math.min(readAhead, source.size - offset);
      start = offset;
      await source.read(buffer.subarray(0, filled), offset, signal);
    }
    return buffer.subarray(offset - start, offset - start + length);
  };
}
