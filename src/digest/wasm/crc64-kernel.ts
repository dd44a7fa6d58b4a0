/**
 * CRC-64 with reflected polynomials: eight table look-ups for eight bytes ("slicing-by-8"), over three stretches of
 * the data in turn, since the look-ups of one stretch wait for each other. The stretches are joined by arithmetic.
 */
import type { Code, Local } from "./assembler.ts";
import { createKernel, FunctionBuilder, i32, i64 } from "./assembler.ts";
import { type Crc64Kernel, createCrc64Arithmetic } from "./crc64-arithmetic.ts";

const STREAMS = 3;
/** Bytes of one stretch, widest first; what is left over goes through a single register. */
const STRETCHES = [16 * 1024, 1024];
const CHUNK = STREAMS * (STRETCHES[0] as number);
const WORD = 8;
const TABLE = 256 * WORD;

// Memory: | eight tables | registers | data |
const REGISTERS = 8 * TABLE;
const DATA = REGISTERS + 64;

export function createCrc64Kernel(polynomial: bigint): Crc64Kernel {
  const { memory, compile } = createKernel(DATA + CHUNK);
  fillTables(new BigUint64Array(memory.buffer, 0, (8 * TABLE) / WORD), polynomial);
  const registers = new BigUint64Array(memory.buffer, REGISTERS, STREAMS);
  const data = memory.subarray(DATA, DATA + CHUNK);
  const side = compile(stretchFunction(STREAMS));
  const single = compile(stretchFunction(1));
  const arithmetic = createCrc64Arithmetic(polynomial);
  const { multiply, power } = arithmetic;
  const stretches = STRETCHES.map((length) => ({ length, shift: power(length) }));

  /** Takes what stands in `data` from `from` to `to`. */
  const take = (register: bigint, from: number, to: number) => {
    let value = register;
    let at = from;
    for (const { length, shift } of stretches) {
      for (; to - at >= STREAMS * length; at += STREAMS * length) {
        registers.fill(0n);
        registers[0] = value;
        side(at, length / WORD, length);
        const first = multiply(registers[0] as bigint, shift) ^ (registers[1] as bigint);
        value = multiply(first, shift) ^ (registers[2] as bigint);
      }
    }
    const words = Math.floor((to - at) / WORD);
    registers[0] = value;
    single(at, words, 0);
    value = registers[0] as bigint;
    for (at += words * WORD; at < to; at += 1) value = byteStep(memory, value, data[at] as number);
    return value;
  };
  return {
    ...arithmetic,
    update(register, bytes) {
      let value = register;
      for (let at = 0; at < bytes.length; at += CHUNK) {
        const part = bytes.subarray(at, at + CHUNK);
        data.set(part);
        value = take(value, 0, part.length);
      }
      return value;
    },
  };
}

/** Table k holds, for each byte, the register after that byte and k zero bytes. */
function fillTables(tables: BigUint64Array, polynomial: bigint): void {
  for (let byte = 0; byte < 256; byte += 1) {
    let value = BigInt(byte);
    for (let bit = 0; bit < 8; bit += 1) value = value & 1n ? (value >> 1n) ^ polynomial : value >> 1n;
    tables[byte] = value;
  }
  for (let at = 256; at < tables.length; at += 1) {
    const before = tables[at - 256] as bigint;
    tables[at] = (before >> 8n) ^ (tables[Number(before & 255n)] as bigint);
  }
}

/** stretch(at, words, distance): each register takes `words` words; stream i begins at `at + i · distance`. */
function stretchFunction(streams: number): FunctionBuilder {
  const f = new FunctionBuilder("stretch", ["i32", "i32", "i32"]);
  const [at, words, distance] = f.params as [Local, Local, Local];
  const lanes = Array.from({ length: streams }, (_, index) => ({
    register: f.local("i64"),
    at: index === 0 ? at : f.local("i32"),
    place: REGISTERS + index * WORD,
  }));
  const zero = i32.const(0);
  for (const [index, lane] of lanes.entries()) {
    f.emit(lane.register.set(i64.load(zero, lane.place)));
    if (index > 0) f.emit(lane.at.set(i32.add((lanes[index - 1] as typeof lane).at.get, distance.get)));
  }
  f.whileNonZero(words, () => {
    for (const { register, at: from } of lanes) {
      f.emit(
        register.set(i64.xor(register.get, i64.load(from.get, DATA))),
        register.set(sum([7, 6, 5, 4, 3, 2, 1, 0].map((table) => lookUp(register.get, table)))),
        from.set(i32.add(from.get, i32.const(WORD))),
      );
    }
    f.emit(words.set(i32.sub(words.get, i32.const(1))));
  });
  for (const { register, place } of lanes) f.emit(i64.store(zero, register.get, place));
  return f;
}

/** The entry of `table` for the byte that `table` more bytes of the word follow. */
function lookUp(word: Code, table: number): Code {
  const bit = (7 - table) * 8;
  // The index counts entries of eight bytes, so the byte is wanted three bits further left.
  const index =
    bit === 0
      ? i32.shl(i32.and(i32.wrapI64(word), i32.const(255)), i32.const(3))
      : i32.and(i32.wrapI64(i64.shrU(word, i64.const(BigInt(bit - 3)))), i32.const(255 * WORD));
  return i64.load(index, table * TABLE);
}

/** XOR of all, as a balanced tree: shorter waits than a chain. */
function sum(terms: readonly Code[]): Code {
  if (terms.length === 1) return terms[0] as Code;
  const half = terms.length / 2;
  return i64.xor(sum(terms.slice(0, half)), sum(terms.slice(half)));
}

function byteStep(tables: Uint8Array, register: bigint, byte: number): bigint {
  const view = new DataView(tables.buffer);
  const index = Number(register & 255n) ^ byte;
  return (register >> 8n) ^ view.getBigUint64(index * WORD, true);
}
