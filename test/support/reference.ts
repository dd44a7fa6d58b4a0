/**
 * The slowest correct engine: one lane, everything in memory. Tests of formats use it to read an image whole and to
 * write one, without the transfer engine.
 */
import { alignUp } from "../../src/bytes/units.ts";
import { decodeUnit } from "../../src/codec/codec.ts";
import type { FormatWriter, Image, LayoutOptions, Output, StoredSegment } from "../../src/format/format.ts";

const never = new AbortController().signal;

/** All guest bytes of an image, through its pieces in steps of `step` bytes. */
export async function readGuest(image: Image, step = 4 * 1024 * 1024): Promise<Buffer> {
  const guest = Buffer.alloc(image.virtualSize);
  let window: Uint8Array | undefined;
  for (let offset = 0; offset < image.virtualSize; ) {
    const length = Math.min(step, image.virtualSize - offset);
    let at = offset;
    for (const piece of await image.pieces({ offset, length }, never)) {
      const into = guest.subarray(at, at + piece.length);
      if (piece.kind === "data") {
        const source = image.sources[piece.source];
        if (source === undefined) throw new Error(`no source ${piece.source}`);
        const inside = Math.max(0, Math.min(piece.length, source.size - piece.offset));
        if (inside > 0) await source.read(into.subarray(0, inside), piece.offset, never);
      } else if (piece.kind === "coded") {
        const coded = Buffer.alloc(piece.size);
        await image.sources[piece.source]?.read(coded, piece.offset, never);
        const unit = Buffer.alloc(piece.unit);
        decodeUnit(
          piece.codec,
          coded,
          unit,
          `offset ${piece.offset}`,
          piece.codec === "deflate-chain" ? window : undefined,
        );
        window = unit.subarray(-32768);
        unit.copy(into, 0, piece.skip, piece.skip + piece.length);
      }
      at += piece.length;
    }
    if (at !== offset + length)
      throw new Error(`pieces cover ${at - offset} of ${length} bytes at ${offset}`);
    offset += length;
  }
  return guest;
}

/** Writes `guest` in a format, `unitsPerSegment` units at a time, segments in the given order. */
export async function writeImage(
  writer: FormatWriter,
  guest: Uint8Array,
  options: Omit<LayoutOptions, "virtualSize" | "seed"> & { readonly virtualSize?: number },
  unitsPerSegment = 16,
  effort: "full" | "plain" = "full",
): Promise<Buffer> {
  const layout = writer.layout({ virtualSize: guest.length, seed: new Uint8Array(16).fill(7), ...options });
  if (layout.shape === "flat") {
    return Buffer.concat([guest, Buffer.alloc(layout.virtualSize - guest.length), layout.tail]);
  }
  const encoder = writer.encoder?.(layout.encoding);
  if (encoder === undefined) throw new Error("a packed format without an encoder");
  const { unit } = layout;
  const units = Math.ceil(guest.length / unit);
  const bodies: { readonly bytes: Buffer; readonly firstUnit: number; readonly table: Uint32Array }[] = [];
  const tables = new Set<number>();
  for (let first = 0; first < units; first += unitsPerSegment) {
    const count = Math.min(unitsPerSegment, units - first);
    const table = new Uint32Array(count);
    const out = memoryOutput();
    for (let i = 0; i < count; i += 1) {
      const bytes = Buffer.alloc(unit);
      bytes.set(guest.subarray((first + i) * unit, Math.min(guest.length, (first + i + 1) * unit)));
      const kept = layout.alwaysStored === "first unit" && first + i === 0;
      if (!kept && bytes.every((byte) => byte === 0)) continue;
      tables.add(Math.floor(((first + i) * unit) / layout.tableSpan));
      table[i] = encoder.encode(bytes, first + i, effort, out);
    }
    out.addZeros(alignUp(out.length, layout.alignment) - out.length);
    bodies.push({ bytes: out.bytes(), firstUnit: first, table });
  }
  const bytes = bodies.reduce((sum, body) => sum + body.bytes.length, 0);
  const headLength = layout.headLength({ tables: tables.size, bytes }, 0);
  let offset = headLength;
  const segments: StoredSegment[] = bodies.map((body) => {
    const at = offset;
    offset += body.bytes.length;
    return { firstUnit: body.firstUnit, offset: at, length: body.bytes.length, units: body.table };
  });
  const sealed = layout.seal({
    headLength,
    dataEnd: offset,
    async *segments() {
      yield* segments.filter((segment) => segment.length > 0);
    },
  });
  const head = await gather(sealed.head());
  if (head.length !== headLength) throw new Error(`the head has ${head.length} bytes, not ${headLength}`);
  return Buffer.concat([head, ...bodies.map((body) => body.bytes), await gather(sealed.tail())]);
}

async function gather(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const all: Uint8Array[] = [];
  for await (const chunk of chunks) all.push(Buffer.from(chunk));
  return Buffer.concat(all);
}

function memoryOutput(): Output & { bytes(): Buffer } {
  const chunks: Buffer[] = [];
  const last: Buffer[] = [];
  let length = 0;
  return {
    get length() {
      return length;
    },
    addLast(bytes) {
      last.push(Buffer.from(bytes));
      length += bytes.length;
    },
    add(bytes) {
      chunks.push(Buffer.from(bytes));
      length += bytes.length;
    },
    addZeros(count) {
      chunks.push(Buffer.alloc(count));
      length += count;
    },
    bytes: () => Buffer.concat([...chunks, ...last]),
  };
}
