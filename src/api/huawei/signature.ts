/** Requests that are signed with an access key: SDK-HMAC-SHA256. */
import { createHash, createHmac } from "node:crypto";
import { percentEncode } from "../../net/percent-encode.ts";
import { type AccessKey, type AccessKeys, isSameSignature } from "../access-key.ts";
import { type HttpRequest, headerOf, pathOf } from "../call.ts";
import { authorityOf, queryOf } from "../route.ts";
import { misfit } from "./errors.ts";

const ALGORITHM = "SDK-HMAC-SHA256";
/** How far the clocks of both sides may be apart. */
const SKEW_MS = 15 * 60_000;

export function isSigned(request: HttpRequest): boolean {
  return headerOf(request, "authorization")?.startsWith(`${ALGORITHM} `) ?? false;
}

/** @throws Fault USAGE when it is not signed as it should be; it does not say where it differs. */
export function signedBy(request: HttpRequest, body: Uint8Array, keys: AccessKeys, now: number): AccessKey {
  const { access, signedHeaders, signature } = signatureOf(request);
  const date = headerOf(request, "x-sdk-date") ?? "";
  const at = dateOf(date);
  const key = keys.get(access);
  const isBound = signedHeaders.includes("host") && signedHeaders.includes("x-sdk-date");
  if (key?.state !== "enabled" || !isBound || at === undefined || Math.abs(now - at) > SKEW_MS) {
    throw misfit("unauthenticated");
  }
  const text = [ALGORITHM, date, sha256(canonicalRequest(request, signedHeaders, body))].join("\n");
  const computed = createHmac("sha256", key.secret).update(text).digest("hex");
  if (!isSameSignature(computed, signature)) throw misfit("unauthenticated");
  return key;
}

function signatureOf(request: HttpRequest) {
  const header = headerOf(request, "authorization") ?? "";
  const form =
    /^SDK-HMAC-SHA256 +Access=([^,\s]+), *SignedHeaders=([a-z0-9;_-]+), *Signature=([0-9a-f]{64})$/;
  const [, access = "", headers = "", signature = ""] = form.exec(header) ?? [];
  return { access, signedHeaders: headers.split(";"), signature };
}

/** `20261122T031927Z`. */
function dateOf(text: string): number | undefined {
  const match = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(text);
  if (match === null) return undefined;
  const [, year, month, day, hour, minute, second] = match.map(Number);
  return Date.UTC(year ?? 0, (month ?? 1) - 1, day, hour, minute, second);
}

function canonicalRequest(request: HttpRequest, signedHeaders: readonly string[], body: Uint8Array): string {
  return [
    request.method,
    canonicalPath(pathOf(request)),
    canonicalQuery(queryOf(request)),
    signedHeaders.map((name) => `${name}:${signedHeader(request, name)}\n`).join(""),
    signedHeaders.join(";"),
    sha256(body),
  ].join("\n");
}

function signedHeader(request: HttpRequest, name: string): string {
  const value = name === "host" ? authorityOf(request) : headerOf(request, name);
  if (value === undefined) throw misfit("unauthenticated");
  return value.trim();
}

/** It ends with a slash, even where the path does not. */
function canonicalPath(path: string): string {
  const encoded = path.split("/").map((segment) => percentEncode(decode(segment)));
  const text = encoded.join("/");
  return text.endsWith("/") ? text : `${text}/`;
}

function canonicalQuery(query: URLSearchParams): string {
  return [...query]
    .map(([name, value]) => `${percentEncode(name)}=${percentEncode(value)}`)
    .sort((a, b) => (a < b ? -1 : 1))
    .join("&");
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw misfit("urlMalformed");
  }
}

function sha256(data: Uint8Array | string): string {
  return createHash("sha256").update(data).digest("hex");
}
