/** Writes a large, nearly empty packed image from its stored units alone. */
import type { FormatWriter, LayoutOptions, Output } from "../../../src/format/format.ts";

export async function writeSparse(
  writer: FormatWriter,
  options: LayoutOptions,
  units: ReadonlyMap<number, Uint8Array>,
  atLeast = 0,
): Promise<Buffer> {
  const layout = writer.layout(options);
  const encoder = layout.shape === "packed" ? writer.encoder?.(layout.encoding) : undefined;
  if (layout.shape !== "packed" || encoder === undefined) throw new Error("not a packed format");
  const bodies = [...units].map(([unit, bytes]) => {
    const out = output();
    const entry = encoder.encode(bytes, unit, "full", out);
    return { firstUnit: unit, units: Uint32Array.of(entry), bytes: out.bytes() };
  });
  const upper = { tables: units.size, bytes: units.size * layout.maxStored };
  const headLength = layout.headLength(upper, atLeast);
  let offset = headLength;
  const segments = bodies.map(({ bytes, ...rest }) => {
    const segment = { ...rest, offset, length: bytes.length };
    offset += bytes.length;
    return segment;
  });
  const sealed = layout.seal({
    headLength,
    dataEnd: offset,
    async *segments() {
      yield* segments;
    },
  });
  const chunks: Uint8Array[] = [];
  for await (const chunk of sealed.head()) chunks.push(chunk);
  if (chunks.reduce((sum, chunk) => sum + chunk.length, 0) !== headLength) throw new Error("head length");
  for (const { bytes } of bodies) chunks.push(bytes);
  for await (const chunk of sealed.tail()) chunks.push(chunk);
  return Buffer.concat(chunks);
}

function output(): Output & { bytes(): Buffer } {
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
