/**
 * How objects are encrypted: AES-256-CTR, so that every run of bytes can be encrypted and decrypted by itself.
 *
 *     counter block = | number of the disk: 8 bytes | offset in the object / 16: 8 bytes |
 *
 * One counter block must never serve two contents under one key. None does: each image has a data key of its own, each
 * of its disks has counters of its own, and a part that is sent again has the same bytes, being of the same source and
 * made by the same rules; an unfinished upload that was begun otherwise is not replaced with the same key
 * (transfer/run.ts).
 *
 * This hides what is stored and proves nothing: whoever can write to the store can change it unseen by the cipher. That
 * an object is what was sent rests on the store's ETags and checksums, which are those of the ciphertext, and on the
 * guest digest.
 */
import type { KeyObject } from "node:crypto";

/** The name of it, as clients ask for it; the mode of operation is not theirs to choose. */
export const CONTENT_ALGORITHM = "AES-256";

export interface ContentCipher {
  /** The image's data key. Threads pass the handle on: its bytes are in no message, and JSON shows none of them. */
  readonly key: KeyObject;
  /** Which of the image's disks: 0 is the first. */
  readonly disk: number;
}

const BLOCK = 16;

/**
 * Encrypts bytes that stand at `offset`, and with each further call those behind them. Decrypting is the same. What
 * comes back is memory of its own.
 */
export function contentStream(
  { key, disk }: ContentCipher,
  offset: number,
): (bytes: Uint8Array) => Uint8Array<ArrayBuffer> {
  // Loaded by the first cipher: most threads have none.
  const { createCipheriv } = process.getBuiltinModule("node:crypto");
  const counter = Buffer.alloc(BLOCK);
  counter.writeBigUInt64BE(BigInt(disk), 0);
  counter.writeBigUInt64BE(BigInt(Math.floor(offset / BLOCK)), 8);
  const cipher = createCipheriv("aes-256-ctr", key, counter);
  cipher.update(new Uint8Array(offset % BLOCK));
  return (bytes) => cipher.update(bytes);
}

/** Encrypts chunks that stand one behind the other from `offset` on. */
export async function* encryptedChunks(
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  cipher: ContentCipher,
  offset: number,
): AsyncGenerator<Uint8Array> {
  const encrypt = contentStream(cipher, offset);
  for await (const chunk of chunks) yield encrypt(chunk);
}
