/** Faults as Connect, gRPC and plain HTTP say them: the one place where our codes become theirs. */
import { create } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import { FAULT_CODES, Fault, type FaultCode } from "../../fault/fault.ts";
import { ErrorInfoSchema } from "./generated/diskferry/v1/error_pb.ts";

const CODES: Readonly<Record<FaultCode, Code>> = {
  USAGE: Code.InvalidArgument,
  NOT_FOUND: Code.NotFound,
  ALREADY_EXISTS: Code.AlreadyExists,
  UNSUPPORTED_FORMAT: Code.FailedPrecondition,
  UNSUPPORTED_FEATURE: Code.FailedPrecondition,
  FORMAT_MISMATCH: Code.FailedPrecondition,
  REFERENCE_NOT_LISTED: Code.FailedPrecondition,
  LIMIT_EXCEEDED: Code.ResourceExhausted,
  PRECONDITION: Code.FailedPrecondition,
  // AIP-151: what stands in the way of another is aborted.
  CONFLICT: Code.Aborted,
  QUOTA_EXCEEDED: Code.ResourceExhausted,
  IDEMPOTENCY_MISMATCH: Code.InvalidArgument,
  IMAGE_CORRUPT: Code.FailedPrecondition,
  IMAGE_TRUNCATED: Code.FailedPrecondition,
  IMAGE_DIRTY: Code.FailedPrecondition,
  AMPLIFICATION: Code.FailedPrecondition,
  SOURCE_CHANGED: Code.Aborted,
  IO: Code.Internal,
  NO_SPACE: Code.ResourceExhausted,
  NETWORK: Code.Unavailable,
  TIMEOUT: Code.DeadlineExceeded,
  // The daemon's own, not the caller's.
  CREDENTIALS: Code.FailedPrecondition,
  CREDENTIALS_EXPIRED: Code.Unavailable,
  PERMISSION: Code.PermissionDenied,
  THROTTLED: Code.ResourceExhausted,
  STORE_UNAVAILABLE: Code.Unavailable,
  STORE_REFUSED: Code.FailedPrecondition,
  STORE_PROTOCOL: Code.Unavailable,
  CHECKSUM_MISMATCH: Code.DataLoss,
  VERIFY_FAILED: Code.DataLoss,
  CANCELED: Code.Canceled,
  INTERNAL: Code.Internal,
};

/** What Connect itself refuses, in our codes: what comes before any use case, or breaks it off. */
const OURS: Readonly<Partial<Record<Code, FaultCode>>> = {
  [Code.InvalidArgument]: "USAGE",
  [Code.NotFound]: "NOT_FOUND",
  [Code.ResourceExhausted]: "LIMIT_EXCEEDED",
  [Code.Unimplemented]: "UNSUPPORTED_FEATURE",
  [Code.DeadlineExceeded]: "TIMEOUT",
  [Code.Canceled]: "CANCELED",
  [Code.Unavailable]: "NETWORK",
};

/** The same error, with a detail that carries our code, if it has none yet. */
export function detailed(error: ConnectError): ConnectError {
  const code = OURS[error.code];
  if (code === undefined || error.details.length > 0) return error;
  const info = create(ErrorInfoSchema, { code, retryable: FAULT_CODES[code].retry });
  return new ConnectError(oneLine(error.rawMessage), error.code, error.metadata, [
    { desc: ErrorInfoSchema, value: info },
  ]);
}

/** A defect of ours is not told to strangers: the log has it. */
export function connectError(error: unknown, requestId: string): ConnectError {
  if (error instanceof ConnectError) return detailed(error);
  const fault = Fault.from(error, "the request");
  const { code, retryAfterMs } = fault;
  const message =
    code === "INTERNAL"
      ? `something went wrong inside diskferry: its log says what, under request ${requestId}`
      : oneLine(fault.message);
  const { reason, ...details } = code === "INTERNAL" ? {} : fault.details;
  const info = create(ErrorInfoSchema, {
    code,
    reason: reason === undefined ? "" : String(reason),
    metadata: Object.fromEntries(
      Object.entries(details).map(([name, value]) => [name, oneLine(String(value))]),
    ),
    retryable: fault.retryable,
    retryAfter: retryAfterMs === undefined ? undefined : durationFromMs(retryAfterMs),
  });
  const headers: Record<string, string> =
    retryAfterMs === undefined ? {} : { "retry-after": String(Math.ceil(retryAfterMs / 1000)) };
  return new ConnectError(message, CODES[code], headers, [{ desc: ErrorInfoSchema, value: info }], error);
}

/** Characters. What a request says may come back in an answer, but not at any length. */
const MOST_SAID = 500;

function oneLine(text: string): string {
  const line = text.replace(/\p{Cc}+/gu, " ");
  return line.length <= MOST_SAID ? line : `${line.slice(0, MOST_SAID)}…`;
}

/** RFC 6750, section 3. */
export function unauthenticated(): ConnectError {
  const info = create(ErrorInfoSchema, { code: "CREDENTIALS", reason: "unauthenticated" });
  return new ConnectError(
    "who asks? Send a bearer token that this daemon knows, or a client certificate",
    Code.Unauthenticated,
    { "www-authenticate": 'Bearer realm="diskferry"' },
    [{ desc: ErrorInfoSchema, value: info }],
  );
}
