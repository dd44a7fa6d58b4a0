/** Does with a target what a worker does, and makes bytes to do it with. */
import { createHash } from "node:crypto";
import { request } from "undici";
import { expect } from "vitest";
import type { PartReceipt, Upload } from "../../../src/store/store.ts";

export const MiB = 1024 * 1024;

/** Bytes that differ from place to place and from seed to seed. */
export function noise(length: number, seed: number): Buffer {
  const bytes = Buffer.allocUnsafe(length);
  let state = seed * 2654435761 + 1;
  for (let at = 0; at < length; at += 1) {
    state = (Math.imul(state, 1103515245) + 12345) | 0;
    bytes[at] = state >>> 16;
  }
  return bytes;
}

export function md5(bytes: Uint8Array): string {
  return createHash("md5").update(bytes).digest("hex");
}

/** Sends one part through its target, as plain HTTP without credentials. */
export async function sendPart(
  upload: Upload,
  number: number,
  bytes: Uint8Array,
  signal: AbortSignal,
): Promise<PartReceipt> {
  const target = await upload.target({ number, length: bytes.length }, signal);
  if (target.kind !== "http") throw new Error("an S3 target is HTTP");
  const reply = await request(target.url, {
    method: target.method,
    headers: { ...target.headers, "content-length": String(bytes.length) },
    body: bytes,
  });
  expect(reply.statusCode, await reply.body.text()).toBe(200);
  const etag = String(reply.headers["etag"]).replaceAll('"', "");
  expect(etag).toBe(md5(bytes));
  return { number, length: bytes.length, etag, checksums: { md5: etag } };
}
