/** libzstd, where the machine has it: zstd of whole buffers with one context for all, which node:zlib makes anew each time. */
import { Fault } from "../fault/fault.ts";
import { allocated, type SharedLibrary, sharedLibrary } from "./shared-library.ts";

export interface Libzstd {
  /** The library's file name and version. */
  readonly name: string;
  /**
   * Decodes one frame, which `coded` holds exactly. Never writes outside `into`.
   * @returns the bytes written; undefined when the frame is broken or yields more than `into.length` bytes.
   */
  decompress(coded: Uint8Array, into: Uint8Array): number | undefined;
  /** Codes `bytes` as one frame with its content size; level 1 to 19. Bytes written; `into` has room for the bound. */
  compress(bytes: Uint8Array, level: number, into: Uint8Array): number;
  /** Room that the coded form of `length` bytes needs at the very most. */
  bound(length: number): number;
}

/** From libzstd 1.0 on the interface has not changed. */
const FILES = ["libzstd.so.1", "libzstd.so", "libzstd.1.dylib", "libzstd.dylib"];

/** This thread's binding; the first call loads koffi and the library. */
export const libzstd = sharedLibrary(FILES, bind);

function bind(library: SharedLibrary, file: string): Libzstd {
  const version = library.func("const char *ZSTD_versionString(void)");
  const createEncoder = library.func("void *ZSTD_createCCtx(void)");
  const freeEncoder = library.func("size_t ZSTD_freeCCtx(void *)");
  const createDecoder = library.func("void *ZSTD_createDCtx(void)");
  const freeDecoder = library.func("size_t ZSTD_freeDCtx(void *)");
  const encode = library.func(
    "size_t ZSTD_compressCCtx(void *, void *out, size_t, const void *in, size_t, int level)",
  );
  const decode = library.func(
    "size_t ZSTD_decompressDCtx(void *, void *out, size_t, const void *in, size_t)",
  );
  const bound = library.func("size_t ZSTD_compressBound(size_t)");
  const isError = library.func("unsigned int ZSTD_isError(size_t)");

  const name = `${file} ${version()}`;
  let encoder: unknown;
  let decoder: unknown;
  process.once("exit", () => {
    if (encoder !== undefined) freeEncoder(encoder);
    if (decoder !== undefined) freeDecoder(decoder);
  });
  return {
    name,
    decompress(coded, into) {
      decoder ??= allocated(createDecoder(), name);
      const written: number | bigint = decode(decoder, into, into.length, coded, coded.length);
      return isError(written) ? undefined : Number(written);
    },
    compress(bytes, level, into) {
      encoder ??= allocated(createEncoder(), name);
      const written: number | bigint = encode(encoder, into, into.length, bytes, bytes.length, level);
      if (isError(written)) throw new Fault("INTERNAL", `${name}: cannot compress ${bytes.length} bytes`);
      return Number(written);
    },
    bound: (length) => Number(bound(length)),
  };
}
