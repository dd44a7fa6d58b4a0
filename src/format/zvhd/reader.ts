/** Opens zvhd and zvhd2 images. */
import { Fault } from "../../fault/fault.ts";
import type { Source } from "../../source/source.ts";
import type { Finding, FormatReader, Image, ImageReport, OpenRequest } from "../format.ts";
import { readBlockIndex } from "./block-index.ts";
import {
  BLOCK,
  hasCookie,
  type Method,
  PAGE,
  readHeader,
  readIndexFields,
  type StreamFormat,
  type StreamHeader,
} from "./header.ts";
import { type Payload, recordImage } from "./image.ts";
import { isIndependent } from "./independent.ts";
import { RECORD_HEADER, readRecordHeader, recordLength } from "./record.ts";
import { MAX_FILE, type RecordTable } from "./record-table.ts";
import { walkRecords } from "./walk.ts";

export function streamReader(format: StreamFormat): FormatReader {
  return {
    probe: ({ head }) => (hasCookie(format, head) ? "mine" : "not mine"),
    open: async (request, signal) => {
      const first = await readFirstBlock(format, request, signal);
      const { source } = request;
      return format === "zvhd" ? openZvhd(source, first, signal) : openZvhd2(source, first, signal);
    },
  };
}

/** @throws Fault USAGE, FORMAT_MISMATCH, IMAGE_TRUNCATED, LIMIT_EXCEEDED */
async function readFirstBlock(
  format: StreamFormat,
  { source, snapshot }: OpenRequest,
  signal: AbortSignal,
): Promise<Uint8Array> {
  if (snapshot !== undefined) {
    throw new Fault("USAGE", `${source.name}: ${format} images have no internal snapshots`);
  }
  const bytes = new Uint8Array(PAGE);
  await source.read(bytes.subarray(0, Math.min(PAGE, source.size)), 0, signal);
  if (!hasCookie(format, bytes)) {
    throw new Fault(
      "FORMAT_MISMATCH",
      `${source.name}: is not a ${format} image: its mark is not at offset 0`,
    );
  }
  if (source.size < 2 * PAGE) {
    throw new Fault("IMAGE_TRUNCATED", `${source.name}: a ${format} image cannot have ${source.size} bytes`);
  }
  if (source.size > MAX_FILE) {
    throw new Fault(
      "LIMIT_EXCEEDED",
      `${source.name}: files above ${MAX_FILE} bytes are not supported for ${format} (${source.size})`,
    );
  }
  return bytes;
}

async function openZvhd(source: Source, first: Uint8Array, signal: AbortSignal): Promise<Image> {
  const header = readHeader(first, `${source.name}: offset 0`);
  const { records, end } = await walkRecords(source, header.currentSize, signal);
  const repeat = new Uint8Array(PAGE);
  await source.read(repeat, end, signal);
  if (!Buffer.from(first).equals(repeat)) {
    throw new Fault(
      "IMAGE_CORRUPT",
      `${source.name}: the closing block at ${end} differs from the block at 0: the image is damaged`,
    );
  }
  const findings: Finding[] = [];
  if (end + PAGE < source.size) {
    findings.push({
      name: "bytes-behind-end",
      severity: "warning",
      message: `${source.size - end - PAGE} bytes follow the closing block; nothing reads them`,
    });
  }
  if (records.count > 0) await checkStreamHeader(source, records, signal);
  const independent = await isIndependent(source, header.uuid, records, signal);
  const codec = independent ? "deflate" : "deflate-chain";
  const report = reportOf("zvhd", source, header, "zlib", findings);
  return recordImage({
    source,
    report: { ...report, features: [...report.features, independent ? "independent records" : "one stream"] },
    records,
    order: independent ? "any" : "sequential",
    async payloads(from, count) {
      return Array.from({ length: count }, (_, i): Payload => {
        const { offset, length } = records.get(from + i);
        const skip = from + i === 0 ? ZLIB_HEADER : 0;
        return { offset: offset + RECORD_HEADER + skip, size: length - skip, codec };
      });
    },
  });
}

/** Bytes before the deflate stream, in the first record alone. */
const ZLIB_HEADER = 2;

/** The first record begins the one zlib stream (RFC 1950, section 2.2). */
async function checkStreamHeader(source: Source, records: RecordTable, signal: AbortSignal): Promise<void> {
  const { offset, length } = records.get(0);
  const bytes = new Uint8Array(ZLIB_HEADER);
  await source.read(bytes, offset + RECORD_HEADER, signal);
  const [method = 0, flags = 0] = bytes;
  const deflate = (method & 0x0f) === 8 && method >> 4 <= 7;
  const whole = (method * 256 + flags) % 31 === 0 && (flags & 0x20) === 0;
  if (deflate && whole && length > ZLIB_HEADER) return;
  throw new Fault(
    "IMAGE_CORRUPT",
    `${source.name}: offset ${offset}: the first record does not begin a zlib stream (0x${Buffer.from(bytes).toString("hex")})`,
  );
}

async function openZvhd2(source: Source, first: Uint8Array, signal: AbortSignal): Promise<Image> {
  const offset = source.size - PAGE;
  const last = new Uint8Array(PAGE);
  await source.read(last, offset, signal);
  const place = `${source.name}: offset ${offset}`;
  if (!hasCookie("zvhd2", last)) {
    throw new Fault(
      "IMAGE_TRUNCATED",
      `${place}: no closing block ("z2strm") stands here: the file is cut short or has bytes appended`,
    );
  }
  const opening = readHeader(first, `${source.name}: offset 0`);
  const header = readHeader(last, place);
  for (const field of ["originalSize", "currentSize"] as const) {
    if (opening[field] === header[field]) continue;
    throw disagreement(source, field, opening[field], header[field]);
  }
  if (!Buffer.from(opening.uuid).equals(header.uuid)) {
    throw disagreement(source, "uuid", hex(opening.uuid), hex(header.uuid));
  }
  const fields = readIndexFields(last, header, place);
  const records = await readBlockIndex(source, fields, signal);
  const read = (at: number) => payloadOf(source, records, at, fields.method, signal);
  return recordImage({
    source,
    report: reportOf("zvhd2", source, header, fields.method, []),
    records,
    order: "any",
    async payloads(from, count) {
      const payloads: Payload[] = [];
      for (let done = 0; done < count; done += AT_ONCE) {
        const batch = Array.from({ length: Math.min(AT_ONCE, count - done) }, (_, i) =>
          read(from + done + i),
        );
        payloads.push(...(await Promise.all(batch)));
      }
      return payloads;
    },
  });
}

/** Record headers asked for at once: hides latency, and bounds the number of open reads. */
const AT_ONCE = 16;

/**
 * The index gives a record's length in pages; the exact payload, which neither codec can find out by itself, is in the
 * record's header.
 */
async function payloadOf(
  source: Source,
  records: RecordTable,
  at: number,
  codec: Method,
  signal: AbortSignal,
): Promise<Payload> {
  const { block, offset, length } = records.get(at);
  const bytes = new Uint8Array(RECORD_HEADER);
  await source.read(bytes, offset, signal);
  const place = `${source.name}: offset ${offset}`;
  const header = readRecordHeader(bytes, place);
  if (header.block !== block || recordLength(header.payload) > length) {
    throw new Fault(
      "IMAGE_CORRUPT",
      `${place}: the record of guest block ${header.block} with ${header.payload} bytes is not the one of block ` +
        `${block} within ${length} bytes that the index names`,
    );
  }
  return { offset: offset + RECORD_HEADER, size: header.payload, codec };
}

function reportOf(
  format: StreamFormat,
  source: Source,
  header: StreamHeader,
  compression: Method,
  findings: readonly Finding[],
): ImageReport {
  const { originalSize, currentSize, creatorVersion } = header;
  return {
    format,
    virtualSize: currentSize,
    fileSize: source.size,
    unit: BLOCK,
    compression,
    features: [
      `creator version ${creatorVersion}`,
      ...(originalSize < currentSize ? [`rounded up from ${originalSize} bytes`] : []),
    ],
    snapshots: [],
    findings,
  };
}

function disagreement(source: Source, field: string, first: unknown, last: unknown): Fault {
  return new Fault(
    "IMAGE_CORRUPT",
    `${source.name}: the first block says ${field} ${first}, the last block says ${last}: the image is damaged`,
  );
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
