/** How a request is signed: HMAC-SHA1 over its parameters (V1), or ACS3-HMAC-SHA256 over all of it (V3). */
import { createHash, createHmac } from "node:crypto";
import { percentEncode } from "../../net/percent-encode.ts";

/** Name and value, decoded. */
export type Pair = readonly [name: string, value: string];

/** By name, in the order of their code units. What came is decoded and encoded again, since clients write it differently. */
function canonical(pairs: readonly Pair[]): string {
  return pairs
    .toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
    .map(([name, value]) => `${percentEncode(name)}=${percentEncode(value)}`)
    .join("&");
}

/** @param pairs those of query and form together, without `Signature`. */
export function signatureV1(method: string, pairs: readonly Pair[], secret: string): string {
  const text = `${method}&${percentEncode("/")}&${percentEncode(canonical(pairs))}`;
  return createHmac("sha1", `${secret}&`).update(text).digest("base64");
}

export interface SignedRequest {
  readonly method: string;
  readonly path: string;
  readonly query: readonly Pair[];
  /** Those that are signed, by lower-case name, in the order in which they are signed. */
  readonly headers: readonly Pair[];
  /** SHA-256 of the body, in hex. */
  readonly bodyHash: string;
}

export const ACS3 = "ACS3-HMAC-SHA256";

export function signatureV3(
  { method, path, query, headers, bodyHash }: SignedRequest,
  secret: string,
): string {
  const request = [
    method,
    path,
    canonical(query),
    headers.map(([name, value]) => `${name}:${value.trim()}\n`).join(""),
    headers.map(([name]) => name).join(";"),
    bodyHash,
  ].join("\n");
  return createHmac("sha256", secret)
    .update(`${ACS3}\n${sha256(request)}`)
    .digest("hex");
}

export function sha256(data: string | Uint8Array): string {
  return createHash("sha256").update(data).digest("hex");
}

/** `ACS3-HMAC-SHA256 Credential=<id>,SignedHeaders=<a;b>,Signature=<hex>`; undefined when it is not that. */
export function parseAuthorization(header: string) {
  const match =
    /^ACS3-HMAC-SHA256\s+Credential=([^,\s]+),\s*SignedHeaders=([^,\s]+),\s*Signature=([0-9a-fA-F]+)$/.exec(
      header,
    );
  const [, id, signed, signature] = match ?? [];
  if (id === undefined || signed === undefined || signature === undefined) return undefined;
  return { id, signed: signed.toLowerCase().split(";"), signature: signature.toLowerCase() };
}
