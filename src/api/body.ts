/** The body of a request, for dialects that read it whole. */
import { Fault } from "../fault/fault.ts";
import type { HttpRequest } from "./call.ts";

/** @throws Fault LIMIT_EXCEEDED beyond `most` bytes; the rest is left unread. */
export async function readBody(request: HttpRequest, most: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  // The connection must outlive a body that is too long: the answer still has to go out on it.
  for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > most) throw new Fault("LIMIT_EXCEEDED", `a body has at most ${most} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** Undefined: it is no JSON, or not in UTF-8. */
export function jsonOf(body: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body));
  } catch {
    return undefined;
  }
}
