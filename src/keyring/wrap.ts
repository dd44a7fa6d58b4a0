/**
 * A key under another key: AES-256-GCM, as text.
 *
 *     base64 of | nonce: 12 bytes, random | tag: 16 bytes | the key, encrypted |
 */
import { createCipheriv, createDecipheriv, type KeyObject, randomBytes } from "node:crypto";

const CIPHER = "aes-256-gcm";
const NONCE = 12;
const TAG = 16;

/** @param context must be the same to unwrap it */
export function wrapped(plain: Uint8Array, master: KeyObject, context: Uint8Array): string {
  const nonce = randomBytes(NONCE);
  const cipher = createCipheriv(CIPHER, master, nonce, { authTagLength: TAG });
  cipher.setAAD(context);
  const encrypted = Buffer.concat([cipher.update(plain), cipher.final()]);
  return Buffer.concat([nonce, cipher.getAuthTag(), encrypted]).toString("base64");
}

/** Undefined when another master key or another context has wrapped it, or nothing that is known here. */
export function unwrapped(text: string, master: KeyObject, context: Uint8Array): Buffer | undefined {
  const bytes = Buffer.from(text, "base64");
  if (bytes.length < NONCE + TAG) return undefined;
  const decipher = createDecipheriv(CIPHER, master, bytes.subarray(0, NONCE), { authTagLength: TAG });
  decipher.setAAD(context);
  decipher.setAuthTag(bytes.subarray(NONCE, NONCE + TAG));
  const plain = decipher.update(bytes.subarray(NONCE + TAG));
  try {
    decipher.final();
    return plain;
  } catch {
    plain.fill(0);
    return undefined;
  }
}
