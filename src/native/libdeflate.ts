/** libdeflate, where the machine has it: deflate of whole buffers, about twice as fast as zlib in both directions. */
import { allocated, type SharedLibrary, sharedLibrary } from "./shared-library.ts";

export interface Libdeflate {
  /** The library's file name. */
  readonly name: string;
  /**
   * Decodes a raw deflate stream that ends in a final block; what follows it in `coded` is not looked at. Never
   * writes outside `into`. Whether the stream is sound and yields exactly `into.length` bytes.
   */
  inflate(coded: Uint8Array, into: Uint8Array): boolean;
  /** Codes `bytes` as one raw deflate stream; level 0 to 12. Bytes written, 0 when they do not fit `into`. */
  deflate(bytes: Uint8Array, level: number, into: Uint8Array): number;
  /** Room that the coded form of `length` bytes needs at the very most. */
  bound(length: number): number;
}

/** From libdeflate 1.0 on the interface has not changed. */
const FILES = ["libdeflate.so.0", "libdeflate.so", "libdeflate.0.dylib", "libdeflate.dylib"];
const MAX_LEVEL = 12;

/** This thread's binding; the first call loads koffi and the library. */
export const libdeflate = sharedLibrary(FILES, bind);

function bind(library: SharedLibrary, name: string): Libdeflate {
  const allocDecompressor = library.func("void *libdeflate_alloc_decompressor(void)");
  const freeDecompressor = library.func("void libdeflate_free_decompressor(void *)");
  const allocCompressor = library.func("void *libdeflate_alloc_compressor(int level)");
  const freeCompressor = library.func("void libdeflate_free_compressor(void *)");
  // A null pointer for the decoded length asks for exactly the length given.
  const decompress = library.func(
    "int libdeflate_deflate_decompress(void *, const void *in, size_t, void *out, size_t, void *decoded)",
  );
  const compress = library.func(
    "size_t libdeflate_deflate_compress(void *, const void *in, size_t, void *out, size_t)",
  );
  const bound = library.func("size_t libdeflate_deflate_compress_bound(void *, size_t)");

  const decompressor: unknown = allocated(allocDecompressor(), name);
  const compressors: unknown[] = [];
  process.once("exit", () => {
    freeDecompressor(decompressor);
    for (const compressor of compressors) if (compressor !== undefined) freeCompressor(compressor);
  });
  return {
    name,
    inflate: (coded, into) => decompress(decompressor, coded, coded.length, into, into.length, null) === 0,
    deflate(bytes, level, into) {
      const known = Math.max(0, Math.min(MAX_LEVEL, level));
      compressors[known] ??= allocated(allocCompressor(known), name);
      return Number(compress(compressors[known], bytes, bytes.length, into, into.length));
    },
    bound: (length) => Number(bound(null, length)),
  };
}
