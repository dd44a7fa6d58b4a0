/** What stands before a file in a tar archive, as GNU tar writes it (its manual, "Basic Tar Format"). */
const BLOCK = 512;
/** Bytes of a name that stands in the header itself. */
const MOST_NAME = 100;
/** Eleven octal digits; larger numbers stand in base 256. */
const MOST_OCTAL = 8 ** 11 - 1;
/** What a long name is called, as a file of its own. */
const LONG_NAME = [".", ".", "@LongLink"].join("/");
/** 1980-01-01: the same each time, and not so early that GNU tar warns of it. */
const TIME = 315_532_800;

/** The header of a regular file; a long name stands before it, as a file of its own. */
export function fileHeader(name: string, size: number): Uint8Array {
  const bytes = Buffer.from(name);
  const own = header(bytes.subarray(0, MOST_NAME), size, "0");
  if (bytes.length <= MOST_NAME) return own;
  const padded = Buffer.alloc(Math.ceil((bytes.length + 1) / BLOCK) * BLOCK);
  bytes.copy(padded);
  return Buffer.concat([header(Buffer.from(LONG_NAME), bytes.length + 1, "L"), padded, own]);
}

function header(name: Uint8Array, size: number, type: "0" | "L"): Buffer {
  const block = Buffer.alloc(BLOCK);
  block.set(name, 0);
  block.write("0000644", 100);
  block.write("0000000", 108);
  block.write("0000000", 116);
  writeNumber(block, 124, size);
  writeNumber(block, 136, TIME);
  block.write(type, 156);
  block.write("ustar  \0", 257);
  block.write("root", 265);
  block.write("root", 297);
  // The sum is taken with spaces in its own place.
  block.fill(" ", 148, 156);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  return block;
}

/** A field of twelve bytes. */
function writeNumber(block: Buffer, at: number, value: number): void {
  if (value <= MOST_OCTAL) {
    block.write(value.toString(8).padStart(11, "0"), at);
    return;
  }
  block.writeUInt8(0x80, at);
  block.writeBigUInt64BE(BigInt(value), at + 4);
}
