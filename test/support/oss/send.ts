/** Performs a put target as the sender in a worker does: sends the bytes and holds the reply against them. */
import { crc64, crc64Hex } from "../../../src/digest/crc64.ts";
import { Fault } from "../../../src/fault/fault.ts";
import { discardBody, http, statusFault } from "../../../src/net/http.ts";
import type { PartReceipt, PutTarget } from "../../../src/store/store.ts";

export async function sendPart(
  target: PutTarget,
  part: { readonly number: number; readonly offset: number; readonly bytes: Uint8Array },
  signal: AbortSignal,
): Promise<PartReceipt> {
  if (target.kind !== "http") throw new Error(`${target.kind} target`);
  const { method, url, headers, name } = target;
  const reply = await http({ method, url, headers, name, body: part.bytes }, signal);
  await discardBody(reply);
  if (reply.status !== 200) throw statusFault(reply.status, reply.headers, name);
  const crc = crc64("crc64xz", part.bytes);
  if (reply.headers[target.expect.crc64Header ?? ""] !== String(crc)) {
    throw new Fault("CHECKSUM_MISMATCH", `${name}: the store has other bytes`);
  }
  return {
    number: part.number,
    offset: part.offset,
    length: part.bytes.length,
    etag: (reply.headers["etag"] ?? "").replaceAll('"', ""),
    checksums: { crc64xz: crc64Hex(crc) },
  };
}
