/** What a test does in the place of the workers and of the rest of the program. */
import { createHash } from "node:crypto";
import type { PartReceipt, Upload } from "../../../src/store/store.ts";
import { swiftConfigFromEnvironment } from "../../../src/store/swift/config.ts";
import type { SwiftServer } from "../swift.ts";

export const signal = new AbortController().signal;

export function md5(bytes: Uint8Array | string): string {
  return createHash("md5").update(bytes).digest("hex");
}

export async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const out: T[] = [];
  for await (const item of items) out.push(item);
  return out;
}

/** Bytes that differ from place to place and from seed to seed. */
export function noise(length: number, seed: number): Uint8Array {
  const out = new Uint8Array(length);
  let state = seed + 1;
  for (let i = 0; i < length; i += 1) {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    out[i] = state >>> 24;
  }
  return out;
}

export function configFor(server: SwiftServer, more: Record<string, string> = {}) {
  return swiftConfigFromEnvironment({
    ST_AUTH: server.authUrl,
    ST_USER: server.user,
    ST_KEY: server.key,
    ...more,
  });
}

/** Performs the part's target once; the status is the server's. */
export async function putOnce(
  upload: Upload,
  number: number,
  bytes: Uint8Array,
): Promise<{ status: number; receipt: PartReceipt }> {
  const target = await upload.target({ number, length: bytes.length }, signal);
  if (target.kind !== "http") throw new Error(`unexpected target ${target.kind}`);
  const reply = await fetch(target.url, {
    method: target.method,
    headers: target.headers,
    body: bytes as Uint8Array<ArrayBuffer>,
  });
  await reply.arrayBuffer();
  const etag = (reply.headers.get("etag") ?? "").replaceAll('"', "");
  return {
    status: reply.status,
    receipt: { number, length: bytes.length, etag, checksums: { md5: md5(bytes) } },
  };
}

/** Sends a part as a worker would, with one new credential if the first is refused. */
export async function send(upload: Upload, number: number, bytes: Uint8Array): Promise<PartReceipt> {
  let sent = await putOnce(upload, number, bytes);
  if (sent.status === 401) {
    await upload.refresh(signal);
    sent = await putOnce(upload, number, bytes);
  }
  if (sent.status !== 201) throw new Error(`part ${number}: the server answered ${sent.status}`);
  if (sent.receipt.etag !== md5(bytes)) throw new Error(`part ${number}: wrong ETag ${sent.receipt.etag}`);
  return sent.receipt;
}

/** Speaks to the server without any of our code. */
export async function raw(
  server: SwiftServer,
  method: string,
  path: string,
  options: { readonly headers?: Record<string, string>; readonly body?: string } = {},
): Promise<{ status: number; headers: Headers; bytes: Uint8Array; text: string }> {
  const login = await fetch(server.authUrl, {
    headers: { "x-auth-user": server.user, "x-auth-key": server.key },
  });
  const reply = await fetch(server.storageUrl + path, {
    method,
    headers: { "x-auth-token": login.headers.get("x-auth-token") ?? "", ...options.headers },
    ...(options.body === undefined ? {} : { body: options.body }),
  });
  const bytes = new Uint8Array(await reply.arrayBuffer());
  return { status: reply.status, headers: reply.headers, bytes, text: new TextDecoder().decode(bytes) };
}

/** Names and bytes in a container. */
export async function listing(
  server: SwiftServer,
  container: string,
  prefix = "",
): Promise<readonly { readonly name: string; readonly bytes: number }[]> {
  const { status, text } = await raw(
    server,
    "GET",
    `/${container}?format=json&limit=10000&prefix=${encodeURIComponent(prefix)}`,
  );
  return status === 200 ? JSON.parse(text) : [];
}
