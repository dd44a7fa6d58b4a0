/** Writes fixed and dynamic VHDs whose virtual size is exact. */
import { alignUp, KiB, MiB, SECTOR } from "../../bytes/units.ts";
import { Fault } from "../../fault/fault.ts";
import type {
  FlatLayout,
  FormatName,
  LayoutOptions,
  PackedLayout,
  SealInput,
  UnitEncoder,
} from "../format.ts";
import { ABSENT, bitmapSizeOf } from "./block-table.ts";
import { DYNAMIC_HEADER_SIZE, writeDynamicHeader } from "./dynamic-header.ts";
import { FOOTER_SIZE, MAX_SIZE, writeFooter } from "./footer.ts";
import { geometryFor } from "./geometry.ts";
import { uuidFromSeed } from "./identity.ts";

/** The block size that every reader knows; Virtual PC knows no other. */
const BLOCK = 2 * MiB;
/**
 * A block's data starts on a page: reading it then needs no copy of half pages. Bytes between one block and the
 * bitmap of the next stay unused, as Xen's writer leaves them.
 */
const PAGE = 4 * KiB;
const BITMAP = bitmapSizeOf(BLOCK);
/** | unused | bitmap | data | */
const STORED = PAGE + BLOCK;
const TABLE_OFFSET = FOOTER_SIZE + DYNAMIC_HEADER_SIZE;
const CHUNK = 64 * KiB;

export function fixedLayout(options: LayoutOptions): FlatLayout {
  const size = sizeOf("vhd-fixed", options);
  const geometry = geometryFor(size / SECTOR);
  const tail = writeFooter({ type: "fixed", size, geometry, uuid: uuidFromSeed(options.seed) });
  return { shape: "flat", virtualSize: size, tail };
}

export function dynamicLayout(options: LayoutOptions): PackedLayout {
  const size = sizeOf("vhd", options);
  const blocks = Math.ceil(size / BLOCK);
  const footer = writeFooter({
    type: "dynamic",
    dataOffset: FOOTER_SIZE,
    size,
    geometry: geometryFor(size / SECTOR),
    uuid: uuidFromSeed(options.seed),
  });
  return {
    shape: "packed",
    virtualSize: size,
    unit: BLOCK,
    alignment: PAGE,
    // There is one table, and it is whole from the start.
    tableSpan: Math.max(BLOCK, blocks * BLOCK),
    encoding: { format: "vhd", compression: "none", level: 0, unit: BLOCK },
    maxStored: STORED,
    headLength: (_upper, atLeast) => alignUp(Math.max(TABLE_OFFSET + blocks * 4, atLeast), PAGE),
    seal: (input) => ({
      head: () => head(footer, blocks, input),
      async *tail() {
        yield footer;
      },
    }),
  };
}

/** Blocks are stored as they are: effort makes no difference. */
export function blockEncoder(): UnitEncoder {
  const bitmap = new Uint8Array(BITMAP).fill(0xff);
  return {
    encode(bytes, _guestUnit, _effort, out) {
      out.addZeros(PAGE - BITMAP);
      out.add(bitmap);
      out.add(bytes);
      return STORED;
    },
  };
}

async function* head(footer: Uint8Array, blocks: number, input: SealInput): AsyncGenerator<Uint8Array> {
  yield footer;
  yield writeDynamicHeader({ tableOffset: TABLE_OFFSET, maxEntries: blocks, blockSize: BLOCK });
  const table = new Uint8Array(alignUp(TABLE_OFFSET + blocks * 4, PAGE) - TABLE_OFFSET).fill(0xff);
  const view = new DataView(table.buffer);
  for await (const { firstUnit, offset, units } of input.segments()) {
    let at = offset;
    for (const [i, stored] of units.entries()) {
      const entry = stored === 0 ? ABSENT : (at + PAGE - BITMAP) / SECTOR;
      view.setUint32((firstUnit + i) * 4, entry);
      at += stored;
    }
  }
  yield table;
  for (let at = TABLE_OFFSET + table.length; at < input.headLength; at += CHUNK) {
    yield new Uint8Array(Math.min(CHUNK, input.headLength - at));
  }
}

/** @throws Fault USAGE, LIMIT_EXCEEDED */
function sizeOf(
  format: FormatName,
  { virtualSize, compression, level, clusterSize, roundTo }: LayoutOptions,
) {
  if ((compression ?? "none") !== "none") {
    throw new Fault(
      "USAGE",
      `${format} images cannot be compressed: choose compression none, or another format`,
    );
  }
  if (level !== undefined)
    throw new Fault("USAGE", `${format} images are not compressed: they take no level`);
  if (clusterSize !== undefined) throw new Fault("USAGE", `${format} images take no cluster size`);
  const unit = roundTo ?? SECTOR;
  if (unit <= 0 || unit % SECTOR !== 0) {
    throw new Fault(
      "USAGE",
      `${format} images are rounded up to whole sectors: ${unit} is no multiple of ${SECTOR}`,
    );
  }
  const size = alignUp(virtualSize, unit);
  if (size > MAX_SIZE) {
    throw new Fault(
      "LIMIT_EXCEEDED",
      `a disk of ${size} bytes is too large for ${format}, which holds 2040 GiB: choose qcow2 or raw`,
    );
  }
  return size;
}
