/** What an OSS error reply means. Source: OSS API reference, "Error responses" and the pages of the operations. */
import { z } from "zod";
import { Fault, type FaultCode } from "../../fault/fault.ts";
import { statusFault } from "../../net/http.ts";
import { parseXml } from "./xml.ts";

interface OssErrorReply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
}

/** OSS code → our code and what to do. */
const MEANINGS: Readonly<Record<string, { readonly code: FaultCode; readonly advice?: string }>> = {
  NoSuchBucket: { code: "NOT_FOUND", advice: "check the bucket's name and region" },
  NoSuchKey: { code: "NOT_FOUND" },
  NoSuchVersion: { code: "NOT_FOUND" },
  NoSuchUpload: { code: "NOT_FOUND", advice: "it was completed or aborted" },
  AccessDenied: { code: "PERMISSION", advice: "check the policies of user and bucket" },
  UserDisable: { code: "PERMISSION", advice: "the account is disabled or in arrears" },
  InvalidAccessKeyId: { code: "CREDENTIALS", advice: "check the access key" },
  SignatureDoesNotMatch: { code: "CREDENTIALS", advice: "check the access key's secret and the region" },
  InvalidSecurityToken: { code: "CREDENTIALS", advice: "check the security token" },
  SecurityTokenExpired: { code: "CREDENTIALS_EXPIRED", advice: "get a new security token" },
  RequestTimeTooSkewed: {
    code: "CREDENTIALS",
    advice: "set this machine's clock: it is more than 15 minutes off",
  },
  FileAlreadyExists: { code: "ALREADY_EXISTS" },
  FileImmutable: { code: "STORE_REFUSED", advice: "a retention policy protects the object" },
  ObjectNotAppendable: { code: "STORE_REFUSED" },
  EntityTooSmall: { code: "STORE_REFUSED", advice: "every part but the last needs 102400 bytes" },
  EntityTooLarge: { code: "LIMIT_EXCEEDED" },
  InvalidPart: { code: "STORE_REFUSED", advice: "a part is missing or is not the one acknowledged" },
  InvalidPartOrder: { code: "STORE_PROTOCOL" },
  InvalidDigest: { code: "CHECKSUM_MISMATCH" },
  PreconditionFailed: { code: "SOURCE_CHANGED" },
  InvalidObjectState: { code: "STORE_REFUSED", advice: "the object is archived: restore it first" },
  InvalidBucketName: { code: "USAGE" },
  InvalidObjectName: { code: "USAGE" },
  SecondLevelDomainForbidden: { code: "STORE_REFUSED", advice: "use virtual-host addressing" },
  ServerBusy: { code: "THROTTLED" },
  QpsLimitExceeded: { code: "THROTTLED" },
  TooManyRequests: { code: "THROTTLED" },
  DownloadTrafficRateLimitExceeded: { code: "THROTTLED" },
  UploadTrafficRateLimitExceeded: { code: "THROTTLED" },
  RequestTimeout: { code: "TIMEOUT" },
  InternalError: { code: "STORE_UNAVAILABLE" },
  ServiceUnavailable: { code: "STORE_UNAVAILABLE" },
};

const errorSchema = z.object({
  Code: z.string(),
  Message: z.string().optional(),
  RequestId: z.string().optional(),
  EC: z.string().optional(),
  /** The right endpoint, when the bucket lives elsewhere. */
  Endpoint: z.string().optional(),
});

/** The OSS code that `ossFault` found, such as `NoSuchUpload`. */
export function ossCodeOf(error: unknown): string | undefined {
  const code = error instanceof Fault ? error.details["ossCode"] : undefined;
  return typeof code === "string" ? code : undefined;
}

/** The fault that a refusing reply stands for. */
export function ossFault(reply: OssErrorReply, what: string): Fault {
  const plain = statusFault(reply.status, reply.headers, what);
  const error = errorOf(reply, what);
  if (error === undefined) return plain;
  const meaning = MEANINGS[error.Code];
  const advice =
    error.Endpoint === undefined ? meaning?.advice : `the bucket is reached at ${oneLine(error.Endpoint)}`;
  const text = oneLine(error.Message ?? `status ${reply.status}`);
  const tail = advice === undefined ? "" : `; ${advice}`;
  return new Fault(meaning?.code ?? plain.code, `${what}: ${oneLine(error.Code)}: ${text}${tail}`, {
    details: {
      status: reply.status,
      ossCode: error.Code,
      ...(error.RequestId === undefined ? {} : { requestId: error.RequestId }),
      ...(error.EC === undefined ? {} : { ec: error.EC }),
    },
    ...(plain.retryAfterMs === undefined ? {} : { retryAfterMs: plain.retryAfterMs }),
  });
}

/** Replies without a body (HEAD) carry the same XML, in Base64, in the header x-oss-err. */
function errorOf(reply: OssErrorReply, what: string): z.infer<typeof errorSchema> | undefined {
  const inHeader = reply.headers["x-oss-err"];
  const text =
    reply.text === "" && inHeader !== undefined ? Buffer.from(inHeader, "base64").toString() : reply.text;
  if (text === "") return undefined;
  try {
    const parsed = errorSchema.safeParse(parseXml(text, what)["Error"]);
    return parsed.success ? parsed.data : undefined;
  } catch {
    // A proxy's own page: the status says more.
    return undefined;
  }
}

function oneLine(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: what a server wrote must not steer a terminal
  return text.replaceAll(/[\u0000-\u001f\u007f]+/g, " ").slice(0, 300);
}
