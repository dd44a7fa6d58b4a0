/** ISA-L, where the machine has it: deflate of whole buffers, fastest where they shrink little. */
import { createRequire } from "node:module";
import { endianness } from "node:os";
import { KiB } from "../bytes/units.ts";

export interface Libisal {
  /** The library's file name. */
  readonly name: string;
  /**
   * Codes `bytes` as one raw deflate stream with a final block, at the level that shrinks most. A view of memory that
   * is not JavaScript's, good until the next call; undefined when the library fails.
   */
  deflate(bytes: Uint8Array): Uint8Array | undefined;
}

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
} as const;
/** Bytes of `struct isal_zstream` (82,384), with room to grow. */
const STREAM_SIZE = 128 * KiB;
const LEVEL = 3;
/** ISAL_DEF_LVL3_DEFAULT */
const LEVEL_BUFFER_SIZE = 348_160;
const COMP_OK = 0;
/** A stored block of deflate (RFC 1951, section 3.2.4) holds at least so many bytes, unless it is the last. */
const STORED_BLOCK = 16 * KiB;

const FILES = ["libisal.so.2", "libisal.so", "libisal.2.dylib", "libisal.dylib"];
const WIDE_POINTERS = ["x64", "arm64"];

type Koffi = typeof import("koffi");

let loaded: Libisal | "absent" | undefined;

/** This thread's binding; the first call loads koffi and the library. */
export function libisal(): Libisal | undefined {
  loaded ??= load();
  return loaded === "absent" ? undefined : loaded;
}

function load(): Libisal | "absent" {
  if (!WIDE_POINTERS.includes(process.arch) || endianness() !== "LE") return "absent";
  try {
    const koffi = createRequire(import.meta.url)("koffi") as Koffi;
    for (const name of FILES) {
      try {
        return bind(koffi, koffi.load(name), name);
      } catch {
        // Not under this name.
      }
    }
    return "absent";
  } catch {
    return "absent";
  }
}

/** Memory of the library's own: its state, then the bytes to code, then room for what they become. */
interface Arena {
  readonly pointer: bigint;
  readonly state: DataView;
  /** Bytes that fit. */
  readonly capacity: number;
  readonly input: Uint8Array;
  readonly output: Uint8Array;
}

function bind(koffi: Koffi, library: ReturnType<Koffi["load"]>, name: string): Libisal {
  const init = library.func("void isal_deflate_stateless_init(void *)");
  const deflate = library.func("int isal_deflate_stateless(void *)");
  let arena: Arena | undefined;
  process.once("exit", () => {
    if (arena !== undefined) koffi.free(arena.pointer);
  });
  return {
    name,
    deflate(bytes) {
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
      state.setUint16(STREAM.endOfStream, 1, true);
      if (deflate(pointer) !== COMP_OK) return undefined;
      return output.subarray(0, state.getUint32(STREAM.totalOut, true));
    },
  };
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
