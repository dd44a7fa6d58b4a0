/** A destination whose objects are encrypted; for the rest it is the one that it wraps. */
import type { ContentCipher } from "../cipher/content-cipher.ts";
import { decryptedSource } from "../source/decrypted/decrypted.ts";
import type { Destination } from "./store.ts";

/**
 * Nothing but ciphertext may land there: so runs of zeros are sent like everything else, and no store copies a plain
 * source into it.
 */
export function encryptedDestination(destination: Destination, cipher: ContentCipher): Destination {
  const { removeUnheard } = destination;
  return {
    name: destination.name,
    identity: destination.identity,
    limits: { ...destination.limits, zeros: "sent" },
    cipher,
    begin: (intent, signal) => destination.begin(intent, signal),
    resume: (token, intent, signal) => destination.resume(token, intent, signal),
    landed: (token, signal) => destination.landed(token, signal),
    discard: (token, signal) => destination.discard(token, signal),
    removeOrphans: (signal) => destination.removeOrphans(signal),
    remove: (signal) => destination.remove(signal),
    ...(removeUnheard === undefined
      ? {}
      : {
          removeUnheard: (about: Date, signal: AbortSignal) => removeUnheard.call(destination, about, signal),
        }),
    source: async (signal) => decryptedSource(await destination.source(signal), cipher),
    [Symbol.asyncDispose]: () => destination[Symbol.asyncDispose](),
  };
}
