/** How the strict OSS server checks who asks: signatures V1 and V4, in headers and in URLs. */
import { createHash, createHmac } from "node:crypto";
import { Refusal } from "./refusal.ts";

export interface Account {
  readonly accessKeyId: string;
  readonly accessKeySecret: string;
  /** Every request must show it. */
  readonly securityToken?: string;
  /** The token is refused as expired. */
  readonly expired?: boolean;
}

export interface SignedRequest {
  readonly method: string;
  readonly bucket: string;
  readonly key: string;
  /** Decoded; null: no value was given. */
  readonly query: ReadonlyMap<string, string | null>;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
}

export interface Verifier {
  readonly region: string;
  readonly accounts: readonly Account[];
  readonly now: () => number;
}

const SKEW_MS = 15 * 60 * 1000;

/** Query parameters that a V1 signature covers. */
const SUBRESOURCES = new Set(
  `acl bucketInfo location stat delete append tagging objectMeta uploads uploadId partNumber security-token position
  response-content-type response-content-language response-expires response-cache-control
  response-content-disposition response-content-encoding restore callback callback-var versions versioning versionId
  sequential continuation-token symlink x-oss-process x-oss-traffic-limit cors logging website referer lifecycle`.split(
    /\s+/,
  ),
);

/** @throws Refusal */
export function verify(request: SignedRequest, verifier: Verifier): void {
  const authorization = request.headers["authorization"];
  const inQuery = request.query.has("x-oss-signature") || request.query.has("Signature");
  if (authorization !== undefined && inQuery) {
    throw new Refusal(400, "InvalidArgument", "Signed in the header and in the URL.");
  }
  if (authorization?.startsWith("OSS4-HMAC-SHA256 ")) verifyV4Header(request, authorization, verifier);
  else if (authorization?.startsWith("OSS ")) verifyV1Header(request, authorization, verifier);
  else if (authorization !== undefined)
    throw new Refusal(400, "InvalidArgument", "Authorization unreadable.");
  else if (request.query.has("x-oss-signature-version")) verifyV4Query(request, verifier);
  else if (request.query.has("OSSAccessKeyId")) verifyV1Query(request, verifier);
  else throw new Refusal(403, "AccessDenied", "Anonymous access is forbidden for this operation.");
}

function verifyV4Header(request: SignedRequest, authorization: string, verifier: Verifier): void {
  const fields = new Map(
    authorization
      .slice("OSS4-HMAC-SHA256 ".length)
      .split(",")
      .map((field) => field.trim().split("=", 2) as [string, string]),
  );
  const date = request.headers["x-oss-date"] ?? "";
  if (request.headers["x-oss-content-sha256"] !== "UNSIGNED-PAYLOAD") {
    throw new Refusal(400, "InvalidArgument", "x-oss-content-sha256 must be UNSIGNED-PAYLOAD.");
  }
  const account = accountOf(fields.get("Credential"), date, verifier);
  checkSkew(basicTime(date), verifier);
  checkToken(account, request.headers["x-oss-security-token"]);
  const additional = additionalOf(fields.get("AdditionalHeaders"));
  compare(v4(request, request.query, additional, account, date, verifier), fields.get("Signature"));
}

function verifyV4Query(request: SignedRequest, verifier: Verifier): void {
  const get = (name: string) => request.query.get(name) ?? "";
  if (get("x-oss-signature-version") !== "OSS4-HMAC-SHA256") {
    throw new Refusal(400, "InvalidArgument", "x-oss-signature-version is not supported.");
  }
  const expires = Number(get("x-oss-expires"));
  if (!Number.isInteger(expires) || expires < 1 || expires > 604_800) {
    throw new Refusal(400, "AuthorizationQueryParametersError", "x-oss-expires must be 1 to 604800.");
  }
  const date = get("x-oss-date");
  const account = accountOf(get("x-oss-credential"), date, verifier);
  const begins = basicTime(date);
  if (!(begins <= verifier.now() + SKEW_MS)) throw new Refusal(403, "AccessDenied", "Not valid yet.");
  if (verifier.now() > begins + expires * 1000) {
    throw new Refusal(403, "AccessDenied", "Request has expired.");
  }
  checkToken(account, request.query.get("x-oss-security-token") ?? undefined);
  const query = new Map(request.query);
  query.delete("x-oss-signature");
  const additional = additionalOf(get("x-oss-additional-headers") || undefined);
  compare(v4(request, query, additional, account, date, verifier), get("x-oss-signature"));
}

function accountOf(credential: string | undefined, date: string, verifier: Verifier): Account {
  const [id, day, region, product, kind, ...rest] = (credential ?? "").split("/");
  if (rest.length > 0 || product !== "oss" || kind !== "aliyun_v4_request" || day !== date.slice(0, 8)) {
    throw new Refusal(400, "InvalidArgument", "The credential's scope is wrong.");
  }
  if (region !== verifier.region) {
    throw new Refusal(400, "InvalidArgument", `The credential's region must be ${verifier.region}.`);
  }
  return find(id ?? "", verifier);
}

function find(id: string, verifier: Verifier): Account {
  const account = verifier.accounts.find((candidate) => candidate.accessKeyId === id);
  if (account === undefined) {
    throw new Refusal(403, "InvalidAccessKeyId", "The OSS Access Key Id you provided does not exist.");
  }
  return account;
}

function v4(
  request: SignedRequest,
  query: ReadonlyMap<string, string | null>,
  additional: readonly string[],
  account: Account,
  date: string,
  verifier: Verifier,
): string {
  for (const name of additional) {
    if (request.headers[name] === undefined)
      throw new Refusal(400, "InvalidArgument", `${name} is not there.`);
  }
  const path = request.bucket === "" ? "/" : `/${request.bucket}/${request.key}`;
  const parameters = [...query]
    .map(([name, value]) => [percent(name), value] as const)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => (value === null || value === "" ? name : `${name}=${percent(value)}`));
  const headers = Object.keys(request.headers)
    .filter((name) => /^(?:content-type|content-md5|x-oss-.*)$/.test(name) || additional.includes(name))
    .sort()
    .map((name) => `${name}:${(request.headers[name] ?? "").trim()}\n`);
  const canonical =
    `${request.method}\n${path.split("/").map(percent).join("/")}\n${parameters.join("&")}\n` +
    `${headers.join("")}\n${additional.join(";")}\nUNSIGNED-PAYLOAD`;
  const day = date.slice(0, 8);
  const hash = createHash("sha256").update(canonical).digest("hex");
  const text = `OSS4-HMAC-SHA256\n${date}\n${day}/${verifier.region}/oss/aliyun_v4_request\n${hash}`;
  const hmac = (key: string | Buffer, data: string) => createHmac("sha256", key).update(data).digest();
  const dayKey = hmac(`aliyun_v4${account.accessKeySecret}`, day);
  const signing = hmac(hmac(hmac(dayKey, verifier.region), "oss"), "aliyun_v4_request");
  return hmac(signing, text).toString("hex");
}

function verifyV1Header(request: SignedRequest, authorization: string, verifier: Verifier): void {
  const [id, signature] = authorization.slice("OSS ".length).split(":", 2);
  const account = find(id ?? "", verifier);
  const date = request.headers["x-oss-date"] ?? request.headers["date"] ?? "";
  checkSkew(Date.parse(date), verifier);
  checkToken(account, request.headers["x-oss-security-token"]);
  compare(v1(request, account, date), signature);
}

function verifyV1Query(request: SignedRequest, verifier: Verifier): void {
  const account = find(request.query.get("OSSAccessKeyId") ?? "", verifier);
  const expires = request.query.get("Expires") ?? "";
  if (!(Number(expires) * 1000 >= verifier.now())) {
    throw new Refusal(403, "AccessDenied", "Request has expired.");
  }
  checkToken(account, request.query.get("security-token") ?? undefined);
  compare(v1(request, account, expires), request.query.get("Signature") ?? undefined);
}

function v1(request: SignedRequest, account: Account, date: string): string {
  const { headers } = request;
  const ossHeaders = Object.keys(headers)
    .filter((name) => name.startsWith("x-oss-"))
    .sort()
    .map((name) => `${name}:${(headers[name] ?? "").trim()}\n`);
  const resources = [...request.query]
    .filter(([name]) => SUBRESOURCES.has(name))
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => (value === null || value === "" ? name : `${name}=${value}`));
  const path = request.bucket === "" ? "/" : `/${request.bucket}/${request.key}`;
  const resource = resources.length === 0 ? path : `${path}?${resources.join("&")}`;
  const text =
    `${request.method}\n${headers["content-md5"] ?? ""}\n${headers["content-type"] ?? ""}\n${date}\n` +
    `${ossHeaders.join("")}${resource}`;
  return createHmac("sha1", account.accessKeySecret).update(text).digest("base64");
}

function compare(expected: string, given: string | undefined): void {
  if (expected === given) return;
  throw new Refusal(
    403,
    "SignatureDoesNotMatch",
    "The request signature we calculated does not match yours.",
  );
}

function checkSkew(time: number, verifier: Verifier): void {
  if (Number.isNaN(time)) throw new Refusal(403, "AccessDenied", "OSS authentication requires a valid Date.");
  if (Math.abs(time - verifier.now()) > SKEW_MS) {
    const text = "The difference between the request time and the current time is too large.";
    throw new Refusal(403, "RequestTimeTooSkewed", text);
  }
}

function checkToken(account: Account, shown: string | undefined): void {
  if (account.expired === true) {
    throw new Refusal(403, "SecurityTokenExpired", "The security token you provided has expired.");
  }
  if (shown !== account.securityToken) {
    throw new Refusal(403, "InvalidSecurityToken", "The security token you provided is invalid.");
  }
}

function additionalOf(text: string | undefined): readonly string[] {
  if (text === undefined) return [];
  const names = text.split(";");
  if (names.join(";") !== [...new Set(names)].sort().join(";").toLowerCase()) {
    throw new Refusal(400, "InvalidArgument", "Additional headers must be sorted and in lower case.");
  }
  return names;
}

function basicTime(date: string): number {
  const match = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(date);
  return match === null
    ? Number.NaN
    : Date.parse(date.replace(/^(....)(..)(.....)(..)(.*)$/, "$1-$2-$3:$4:$5"));
}

/** RFC 3986: all but letters, digits and -._~ */
function percent(text: string): string {
  let result = "";
  for (const byte of Buffer.from(text)) {
    const char = String.fromCharCode(byte);
    result += /[A-Za-z0-9\-._~]/.test(char) ? char : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  }
  return result;
}
