/** ISA-L, where the machine has it: deflate of whole buffers, fastest where they shrink little. */
import { endianness } from "node:os";
import { KiB } from "../bytes/units.ts";
import { type Koffi, type SharedLibrary, sharedLibrary } from "./shared-library.ts";

export interface Libisal {
  /** The library's file name. */
  readonly name: string;
  /**
   * Codes `bytes` as one raw deflate stream, at the level that shrinks most. A view of memory that is not JavaScript's,
   * good until the next call; undefined when the library fails.
   */
  deflate(bytes: Uint8Array, end: DeflateEnd): Uint8Array | undefined;
}

/** With a block that is the last one, or with an empty stored block (00 00 FF FF) behind which other streams may stand. */
export type DeflateEnd = "final block" | "flush";

/** igzip_lib.h of ISA-L 2; the layout holds wherever pointers have eight bytes. */
const STREAM = {
  nextIn: 0,
  availableIn: 8,
  nextOut: 16,
  availableOut: 24,
  totalOut: 28,
  level: 40,
  levelBufferSize: 44,
  levelBuffer: 48,
  endOfStream: 56,
  flush: 58,
} as const;
/** Bytes of `struct isal_zstream` (82,384), with room to grow. */
const STREAM_SIZE = 128 * KiB;
const LEVEL = 3;
/** ISAL_DEF_LVL3_DEFAULT */
const LEVEL_BUFFER_SIZE = 348_160;
const NO_FLUSH = 0;
const FULL_FLUSH = 2;
const COMP_OK = 0;
/** A stored block of deflate (RFC 1951, section 3.2.4) holds at least so many bytes, unless it is the last. */
const STORED_BLOCK = 16 * KiB;
/** The same section: not final, no bytes. */
const EMPTY_STORED_BLOCK = Uint8Array.of(0, 0, 0, 0xff, 0xff);

const FILES = ["libisal.so.2", "libisal.so", "libisal.2.dylib", "libisal.dylib"];
const WIDE_POINTERS = ["x64", "arm64"];

/** This thread's binding; the first call loads koffi and the library. */
export const libisal = sharedLibrary(
  WIDE_POINTERS.includes(process.arch) && endianness() === "LE" ? FILES : [],
  bind,
);

/** Memory of the library's own: its state, then the bytes to code, then room for what they become. */
interface Arena {
  readonly pointer: bigint;
  readonly state: DataView;
  /** Bytes that fit. */
  readonly capacity: number;
  readonly input: Uint8Array;
  readonly output: Uint8Array;
}

function bind(library: SharedLibrary, name: string, koffi: Koffi): Libisal {
  const init = library.func("void isal_deflate_stateless_init(void *)");
  const deflate = library.func("int isal_deflate_stateless(void *)");
  let arena: Arena | undefined;
  process.once("exit", () => {
    if (arena !== undefined) koffi.free(arena.pointer);
  });
  return {
    name,
    deflate(bytes, end) {
      if (arena === undefined || arena.capacity < bytes.length) {
        if (arena !== undefined) koffi.free(arena.pointer);
        arena = arenaFor(koffi, bytes.length);
      }
      const { pointer, state, input, output } = arena;
      input.set(bytes);
      init(pointer);
      state.setBigUint64(STREAM.nextIn, pointer + BigInt(input.byteOffset), true);
      state.setUint32(STREAM.availableIn, bytes.length, true);
      state.setBigUint64(STREAM.nextOut, pointer + BigInt(output.byteOffset), true);
      state.setUint32(STREAM.availableOut, output.length, true);
      state.setUint32(STREAM.level, LEVEL, true);
      state.setUint32(STREAM.levelBufferSize, LEVEL_BUFFER_SIZE, true);
      state.setBigUint64(STREAM.levelBuffer, pointer + BigInt(STREAM_SIZE), true);
      state.setUint16(STREAM.endOfStream, end === "final block" ? 1 : 0, true);
      state.setUint16(STREAM.flush, end === "final block" ? NO_FLUSH : FULL_FLUSH, true);
      if (deflate(pointer) !== COMP_OK) return undefined;
      const length = state.getUint32(STREAM.totalOut, true);
      if (end === "final block" || endsInFlush(output, length)) return output.subarray(0, length);
      // What does not shrink ends in a stored block of its bytes.
      output.set(EMPTY_STORED_BLOCK, length);
      return output.subarray(0, length + EMPTY_STORED_BLOCK.length);
    },
  };
}

function endsInFlush(output: Uint8Array, length: number): boolean {
  const end = EMPTY_STORED_BLOCK.subarray(1);
  return length >= end.length && end.every((byte, at) => output[length - end.length + at] === byte);
}

function arenaFor(koffi: Koffi, capacity: number): Arena {
  const room = capacity + 5 * (Math.ceil(capacity / STORED_BLOCK) + 1) + KiB;
  const inputAt = STREAM_SIZE + LEVEL_BUFFER_SIZE;
  const length = inputAt + capacity + room;
  const pointer: bigint = koffi.alloc("uint8_t", length);
  const memory = koffi.view(pointer, length);
  return {
    pointer,
    state: new DataView(memory, 0, STREAM_SIZE),
    capacity,
    input: new Uint8Array(memory, inputAt, capacity),
    output: new Uint8Array(memory, inputAt + capacity, room),
  };
}
