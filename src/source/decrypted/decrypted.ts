/** What another source holds encrypted, decrypted as it is read. */
import { KiB } from "../../bytes/units.ts";
import { type ContentCipher, contentStream } from "../../cipher/content-cipher.ts";
import type { Source } from "../source.ts";

/** Bytes that are decrypted at a time: what they become stands beside them until it is copied back. */
const STEP = 256 * KiB;

/**
 * Holes and known zeros of the source are those of its ciphertext: they mean nothing here, so all is data. Nor may a
 * store copy it by itself. Disposing closes the source.
 */
export function decryptedSource(source: Source, cipher: ContentCipher): Source {
  const { parts } = source;
  return {
    name: source.name,
    size: source.size,
    version: source.version,
    async read(into, position, signal) {
      await source.read(into, position, signal);
      const decrypt = contentStream(cipher, position);
      for (let at = 0; at < into.length; at += STEP) into.set(decrypt(into.subarray(at, at + STEP)), at);
    },
    ...(source.prefetch === undefined ? {} : { prefetch: (range) => source.prefetch?.(range) }),
    ...(parts === undefined
      ? {}
      : {
          parts: async (signal) =>
            (await parts.call(source, signal))?.map(({ offset, length }) => ({ offset, length })),
        }),
    recipe: async (signal) => ({ kind: "decrypted", of: await source.recipe(signal), cipher }),
    ...(source.refresh === undefined ? {} : { refresh: async (signal) => source.refresh?.(signal) }),
    check: (signal) => source.check(signal),
    [Symbol.asyncDispose]: () => source[Symbol.asyncDispose](),
  };
}
