/** Who asks: whoever holds the secret of the access key that the request is signed with. Each request counts once. */
import { type AccessKey, type AccessKeys, isSameSignature } from "../access-key.ts";
import type { NonceBook } from "../dialect.ts";
import { Nonces } from "./nonces.ts";
import type { ReadRequest } from "./read-request.ts";
import { refused } from "./refused.ts";
import { ACS3, type Pair, parseAuthorization, signatureV1, signatureV3 } from "./signature.ts";

/** How far the clock of a client may be off. */
const WINDOW_MS = 15 * 60_000;
/** Of one access key, within the time in which a request could come again: a hundred a second. */
const MOST_NONCES = 200_000;
const LONGEST_NONCE = 128;

/** V3 leaves no choice: what is not signed could be changed on the way. */
const SIGNED_HEADERS = ["host", "x-acs-action", "x-acs-version", "x-acs-date", "x-acs-signature-nonce"];

interface Signed {
  readonly keyId: string;
  readonly signature: string;
  /** What it would be, made with this secret. */
  expected(secret: string): string;
  readonly timestamp: string | undefined;
  readonly nonce: string | undefined;
}

/** A timestamp ahead of our clock by a window is good for two. */
const KEPT_MS = 2 * WINDOW_MS;

/** @throws a refusal */
export function authenticator(
  keys: AccessKeys,
  book: NonceBook,
  now: () => number,
): (request: ReadRequest) => Promise<AccessKey> {
  const nonces = new Nonces({ keptMs: KEPT_MS, most: MOST_NONCES });
  let restored: Promise<void> | undefined;
  /** Before the first request counts. What fails is tried again by the next. */
  const restore = (): Promise<void> => {
    restored ??= book.nonces(now() - KEPT_MS).then(
      (seen) => nonces.restore(seen, now()),
      (error: unknown) => {
        restored = undefined;
        throw error;
      },
    );
    return restored;
  };
  return async (request) => {
    const signed = signedBy(request);
    const key = keys.get(signed.keyId);
    if (key === undefined) throw refused("key-unknown");
    if (!isSameSignature(signed.expected(key.secret), signed.signature)) throw refused("signature-wrong");
    if (key.state === "disabled") throw refused("key-disabled");
    const at = now();
    const said = momentOf(signed.timestamp);
    if (said === undefined || Math.abs(said - at) > WINDOW_MS) throw refused("timestamp");
    const { nonce } = signed;
    if (nonce === undefined || nonce.length > LONGEST_NONCE) throw refused("signature-incomplete");
    await restore();
    const taken = nonces.take(key.id, nonce, at);
    if (taken === "used") throw refused("nonce-used");
    if (taken === "full") throw refused("throttled");
    await book.keepNonce({ key: key.id, nonce, at }, at - KEPT_MS);
    return key;
  };
}

function signedBy(request: ReadRequest): Signed {
  const authorization = request.header("authorization");
  return authorization?.startsWith(ACS3) ? signedV3(request, authorization) : signedV1(request);
}

function signedV1({ method, query, form }: ReadRequest): Signed {
  const pairs = [...query, ...form];
  const said = (name: string) => pairs.find(([known]) => known === name)?.[1];
  const [keyId, signature] = [said("AccessKeyId"), said("Signature")];
  if (keyId === undefined || signature === undefined) throw refused("signature-incomplete");
  if (said("SignatureMethod") !== "HMAC-SHA1" || said("SignatureVersion") !== "1.0") {
    throw refused("signature-incomplete");
  }
  const rest = pairs.filter(([name]) => name !== "Signature");
  return {
    keyId,
    signature,
    expected: (secret) => signatureV1(method, rest, secret),
    timestamp: said("Timestamp"),
    nonce: said("SignatureNonce"),
  };
}

function signedV3(request: ReadRequest, authorization: string): Signed {
  const parsed = parseAuthorization(authorization);
  const { method, path, query, bodyHash } = request;
  if (parsed === undefined) throw refused("signature-incomplete");
  const { id, signed, signature } = parsed;
  if (SIGNED_HEADERS.some((name) => !signed.includes(name))) throw refused("signature-incomplete");
  // What was signed is held against the hash of the body that came, whatever hash a header names.
  const headers = signed.map((name): Pair => {
    const value = request.header(name);
    if (value === undefined) throw refused("signature-incomplete");
    return [name, value];
  });
  return {
    keyId: id,
    signature,
    expected: (secret) => signatureV3({ method, path, query, headers, bodyHash }, secret),
    timestamp: request.header("x-acs-date"),
    nonce: request.header("x-acs-signature-nonce"),
  };
}

/** ISO 8601 in UTC. */
function momentOf(text: string | undefined): number | undefined {
  if (text === undefined || !/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$/.test(text)) return undefined;
  const moment = Date.parse(text);
  return Number.isNaN(moment) ? undefined : moment;
}
