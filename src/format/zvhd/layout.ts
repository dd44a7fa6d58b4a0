/**
 * Writes zvhd and zvhd2:
 *
 *     | first block | records | repeat of the first block |                            zvhd
 *     | first block | records | repeat of the first block | index | bitmap | footer |  zvhd2
 *
 * The first block is known before reading and must be followed by the first record at once, since readers walk the
 * records; and a zvhd's first record alone begins the zlib stream. So guest block 0 is always stored, and brings the
 * first block along: no segment needs to know what stands before it.
 */
import { alignUp } from "../../bytes/units.ts";
import { Fault } from "../../fault/fault.ts";
import type { Encoding, LayoutOptions, PackedLayout, SealInput } from "../format.ts";
import { uuidFromSeed } from "../vhd/identity.ts";
import { MAX_STORED_RECORD } from "./encoder.ts";
import {
  BITMAP_SEGMENT,
  BLOCK,
  INDEX_ENTRY,
  INDEX_SEGMENT,
  MAX_SIZE,
  type Method,
  PAGE,
  repeatHeader,
  SEGMENT_BLOCKS,
  SIZE_UNIT,
  type StreamFormat,
  writeHeader,
  writeIndexFooter,
} from "./header.ts";
import { markIndependent } from "./independent.ts";

/** The compressions of each format and the levels of each, default first in both. */
const METHODS_OF = { zvhd: ["zlib"], zvhd2: ["zstd", "zlib"] } as const;
const LEVELS = { zlib: { default: 1, max: 9 }, zstd: { default: 3, max: 19 } } as const;

/** @throws Fault USAGE, LIMIT_EXCEEDED */
export function streamLayout(format: StreamFormat, options: LayoutOptions): PackedLayout {
  const { method, level } = methodOf(format, options);
  const { originalSize, currentSize } = sizesOf(format, options);
  const uuid = uuidFromSeed(options.seed);
  const first = writeHeader({
    format,
    originalSize,
    currentSize,
    uuid: format === "zvhd" ? markIndependent(uuid) : uuid,
    method,
  });
  const encoding: Encoding = { format, compression: method, level, unit: BLOCK, prologue: first };
  const blocks = Math.ceil(originalSize / BLOCK);
  return {
    shape: "packed",
    virtualSize: currentSize,
    unit: BLOCK,
    alignment: PAGE,
    // No table grows with the data but the index, which is in the tail.
    tableSpan: blocks * BLOCK,
    encoding,
    maxStored: PAGE + MAX_STORED_RECORD,
    alwaysStored: "first unit",
    headLength: () => 0,
    seal: (input) => ({
      async *head() {},
      tail: () => (format === "zvhd" ? zvhdTail(first, input) : zvhd2Tail(first, blocks, input)),
    }),
  };
}

function methodOf(format: StreamFormat, { compression, level, clusterSize }: LayoutOptions) {
  const methods: readonly Method[] = METHODS_OF[format];
  const method = compression === undefined ? methods[0] : methods.find((name) => name === compression);
  if (method === undefined) {
    throw new Fault(
      "USAGE",
      `${format} images cannot have compression ${compression}: choose ${methods.join(" or ")}`,
    );
  }
  const { max } = LEVELS[method];
  const wanted = level ?? LEVELS[method].default;
  if (!Number.isInteger(wanted) || wanted < 1 || wanted > max) {
    throw new Fault("USAGE", `level ${level} is not a level of ${method} in ${format}: choose 1 to ${max}`);
  }
  if (clusterSize !== undefined && clusterSize !== BLOCK) {
    throw new Fault("USAGE", `${format} images have blocks of ${BLOCK} bytes, not ${clusterSize}`);
  }
  return { method, level: wanted };
}

function sizesOf(format: StreamFormat, { virtualSize, roundTo }: LayoutOptions) {
  if (virtualSize <= 0) throw new Fault("USAGE", `${format} cannot hold an empty disk`);
  if (roundTo !== undefined && (roundTo <= 0 || SIZE_UNIT % roundTo !== 0)) {
    throw new Fault("USAGE", `${format} sizes are whole GiB, which are no multiples of ${roundTo} bytes`);
  }
  const originalSize = alignUp(virtualSize, 512);
  const currentSize = alignUp(originalSize, SIZE_UNIT);
  if (currentSize > MAX_SIZE) {
    throw new Fault(
      "LIMIT_EXCEEDED",
      `a disk of ${virtualSize} bytes is too large for ${format}: at most 32 TiB`,
    );
  }
  return { originalSize, currentSize };
}

interface Placed {
  readonly block: number;
  readonly offset: number;
  readonly length: number;
}

/** Every record in guest order. @throws Fault INTERNAL when the first block of the file was never written */
async function* placedRecords(input: SealInput): AsyncGenerator<Placed> {
  let first = true;
  for await (const { firstUnit, offset, units } of input.segments()) {
    let at = offset;
    for (const [i, length] of units.entries()) {
      if (length === 0) continue;
      const block = firstUnit + i;
      if (first && block !== 0) break;
      if (first) at += PAGE;
      first = false;
      yield { block, offset: at, length };
      at += length;
    }
    if (first) break;
  }
  if (first) throw new Fault("INTERNAL", "guest block 0 must be stored: the file begins with it");
}

async function* zvhdTail(first: Uint8Array, input: SealInput): AsyncGenerator<Uint8Array> {
  for await (const _ of placedRecords(input)) break;
  yield first;
}

async function* zvhd2Tail(first: Uint8Array, blocks: number, input: SealInput): AsyncGenerator<Uint8Array> {
  let storedBlocks = 0;
  for await (const _ of placedRecords(input)) storedBlocks += 1;
  yield repeatHeader(first, storedBlocks);
  yield* indexSegments(input);
  yield* bitmapSegments(blocks, input);
  const indexSegmentCount = Math.ceil(storedBlocks / SEGMENT_BLOCKS);
  const indexOffset = input.dataEnd + PAGE;
  yield writeIndexFooter(first, {
    indexOffset,
    indexSegments: indexSegmentCount,
    bitmapOffset: indexOffset + indexSegmentCount * INDEX_SEGMENT,
    bitmapSegments: Math.ceil(blocks / SEGMENT_BLOCKS),
    storedBlocks,
  });
}

async function* indexSegments(input: SealInput): AsyncGenerator<Uint8Array> {
  let bytes = new Uint8Array(INDEX_SEGMENT);
  let filled = 0;
  for await (const { block, offset, length } of placedRecords(input)) {
    const view = new DataView(bytes.buffer, filled, INDEX_ENTRY);
    view.setBigUint64(0, BigInt(offset), true);
    view.setUint32(8, block, true);
    view.setUint32(12, length, true);
    filled += INDEX_ENTRY;
    if (filled < bytes.length) continue;
    yield bytes;
    bytes = new Uint8Array(INDEX_SEGMENT);
    filled = 0;
  }
  if (filled > 0) yield bytes;
}

async function* bitmapSegments(blocks: number, input: SealInput): AsyncGenerator<Uint8Array> {
  let bytes = new Uint8Array(BITMAP_SEGMENT);
  let segment = 0;
  for await (const { block } of placedRecords(input)) {
    for (; block >= (segment + 1) * SEGMENT_BLOCKS; segment += 1) {
      yield bytes;
      bytes = new Uint8Array(BITMAP_SEGMENT);
    }
    const bit = block % SEGMENT_BLOCKS;
    bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) | (1 << (bit & 7));
  }
  for (; segment < Math.ceil(blocks / SEGMENT_BLOCKS); segment += 1) {
    yield bytes;
    bytes = new Uint8Array(BITMAP_SEGMENT);
  }
}
