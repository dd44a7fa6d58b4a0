/** What S3's error codes mean here. */
import { Fault, type FaultCode } from "../../fault/fault.ts";
import { statusFault } from "../../net/http.ts";

/** Where an error came up: for its message. */
export interface Asked {
  /** Such as `s3://bucket/key: completing`. */
  readonly doing: string;
  readonly bucket: string;
}

/** An error reply of an S3 server. */
interface S3Refusal {
  /** Empty where the reply had no body, as to HEAD. */
  readonly code: string;
  readonly message: string;
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
}

interface Meaning {
  readonly code: FaultCode;
  /** What to do about it. */
  readonly advice?: string;
}

const CLOCK = "the clocks of this host and of the server are too far apart; set this host's clock";
const CREDENTIALS =
  "the access key or its secret is wrong; check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY";
const AGAIN = "what it holds is not what was sent; start the upload again";

/** Amazon S3 API Reference, "Error responses", and the names that other servers use. */
const MEANINGS: Readonly<Record<string, Meaning>> = {
  NoSuchKey: { code: "NOT_FOUND" },
  NotFound: { code: "NOT_FOUND" },
  NoSuchUpload: { code: "NOT_FOUND", advice: "the upload is finished or was removed; start it again" },
  AccessDenied: { code: "PERMISSION", advice: "the access key is not allowed to do this" },
  AllAccessDisabled: { code: "PERMISSION" },
  AccountProblem: { code: "PERMISSION" },
  InvalidAccessKeyId: { code: "CREDENTIALS", advice: CREDENTIALS },
  SignatureDoesNotMatch: { code: "CREDENTIALS", advice: CREDENTIALS },
  InvalidToken: { code: "CREDENTIALS", advice: "AWS_SESSION_TOKEN does not belong to this access key" },
  ExpiredToken: { code: "CREDENTIALS_EXPIRED" },
  ExpiredTokenException: { code: "CREDENTIALS_EXPIRED" },
  TokenRefreshRequired: { code: "CREDENTIALS_EXPIRED" },
  CredentialsProviderError: {
    code: "CREDENTIALS",
    advice: "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE",
  },
  RequestTimeTooSkewed: { code: "STORE_REFUSED", advice: CLOCK },
  SlowDown: { code: "THROTTLED" },
  Throttling: { code: "THROTTLED" },
  TooManyRequests: { code: "THROTTLED" },
  RequestLimitExceeded: { code: "THROTTLED" },
  ServiceUnavailable: { code: "STORE_UNAVAILABLE" },
  InternalError: { code: "STORE_UNAVAILABLE" },
  OperationAborted: { code: "STORE_UNAVAILABLE" },
  RequestTimeout: { code: "TIMEOUT" },
  PreconditionFailed: { code: "ALREADY_EXISTS", advice: "the object is there already" },
  ConditionalRequestConflict: {
    code: "STORE_REFUSED",
    advice: "another writer finished this object in the same moment and this upload is void; start it again",
  },
  BadDigest: { code: "CHECKSUM_MISMATCH" },
  InvalidDigest: { code: "CHECKSUM_MISMATCH" },
  XAmzContentChecksumMismatch: { code: "CHECKSUM_MISMATCH" },
  EntityTooSmall: {
    code: "LIMIT_EXCEEDED",
    advice: "a part is below this store's minimum; raise --segment-size",
  },
  EntityTooLarge: { code: "LIMIT_EXCEEDED", advice: "more bytes than this store takes at once" },
  InvalidPart: { code: "VERIFY_FAILED", advice: AGAIN },
  InvalidPartOrder: { code: "VERIFY_FAILED", advice: AGAIN },
  QuotaExceeded: { code: "NO_SPACE", advice: "a quota is used up" },
  ServiceQuotaExceededException: { code: "NO_SPACE", advice: "a quota is used up" },
  InsufficientCapacity: { code: "NO_SPACE" },
  PermanentRedirect: { code: "USAGE", advice: "the bucket lies in another region; set AWS_REGION to it" },
  AuthorizationHeaderMalformed: { code: "USAGE", advice: "the region is wrong; set AWS_REGION" },
};

/** What the SDK says, without a name of its own, when neither settings nor profile tell it where to send. */
const NO_REGION = "Region is missing";

/** Turns what the SDK throws into a fault. A fault stays itself. */
export function s3Fault(error: unknown, asked: Asked): Fault {
  if (error instanceof Error && error.message === NO_REGION) {
    return new Fault(
      "CREDENTIALS",
      `${asked.doing}: no region is known; set AWS_REGION or stores.s3.region`,
      { cause: error },
    );
  }
  const refusal = refusalOf(error);
  return refusal === undefined ? Fault.from(error, asked.doing) : refusalFault(refusal, asked);
}

/** The fault that the error reply to a request sent without the SDK stands for. */
export function replyFault(
  status: number,
  headers: Readonly<Record<string, string>>,
  body: string,
  asked: Asked,
): Fault {
  const element = (name: string) => new RegExp(`<${name}>([^<]*)</${name}>`).exec(body)?.[1] ?? "";
  return refusalFault({ code: element("Code"), message: element("Message"), status, headers }, asked);
}

/** The S3 error code of a fault made here, or the empty text. */
export function s3Code(fault: Fault): string {
  return String(fault.details["s3Code"] ?? "");
}

function refusalFault(refusal: S3Refusal, asked: Asked): Fault {
  const { code, status, headers } = refusal;
  const byStatus = statusFault(status, headers, asked.doing);
  const meaning = meaningOf(refusal, asked);
  const said = [code, oneLine(refusal.message)].filter((text) => text !== "").join(": ");
  const what = said === "" ? `the server answered ${status}` : `the server answered ${status} ${said}`;
  return new Fault(
    meaning?.code ?? byStatus.code,
    `${asked.doing}: ${[meaning?.advice, what].filter(Boolean).join(" — ")}`,
    {
      details: { status, ...(code === "" ? {} : { s3Code: code }) },
      ...(byStatus.retryAfterMs === undefined ? {} : { retryAfterMs: byStatus.retryAfterMs }),
    },
  );
}

function meaningOf({ code, message, status }: S3Refusal, { bucket }: Asked): Meaning | undefined {
  if (code === "NoSuchBucket") {
    return {
      code: "NOT_FOUND",
      advice: `the bucket "${bucket}" does not exist; create it or correct its name`,
    };
  }
  if (code === "InvalidArgument" && /part ?number/i.test(message)) {
    return {
      code: "LIMIT_EXCEEDED",
      advice: "this store takes fewer parts in one object; raise --segment-size",
    };
  }
  if (status === 501) return { code: "UNSUPPORTED_FEATURE", advice: "this store cannot do it" };
  if (code === "" && status === 412) return { code: "ALREADY_EXISTS", advice: "the object is there already" };
  return MEANINGS[code];
}

function refusalOf(error: unknown): S3Refusal | undefined {
  if (error instanceof Fault || !(error instanceof Error)) return undefined;
  const { $metadata, $response } = error as {
    $metadata?: { httpStatusCode?: number };
    $response?: { headers?: Record<string, string> };
  };
  const status = $metadata?.httpStatusCode;
  const named = MEANINGS[error.name] !== undefined;
  if (status === undefined && !named) return undefined;
  // Replies without a body leave the SDK without a code, for which it puts a name of its own.
  const code = named || /^[A-Z][A-Za-z]+$/.test(error.name) ? error.name : "";
  const unnamed = ["UnknownError", "Unknown", "Error", "Forbidden", "BadRequest"].includes(code);
  return {
    code: unnamed ? "" : code,
    message: unnamed || [error.name, "UnknownError"].includes(error.message) ? "" : error.message,
    status: status ?? 0,
    headers: $response?.headers ?? {},
  };
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, " ").trim().slice(0, 300);
}
