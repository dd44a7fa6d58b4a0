/** Faults as Connect, gRPC and plain HTTP say them: the one place where our codes become theirs. */
import { create } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import { Fault, type FaultCode } from "../../fault/fault.ts";
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

/** An error that is Connect's already stays as it is. A defect of ours is not told to strangers: the log has it. */
export function connectError(error: unknown, requestId: string): ConnectError {
  if (error instanceof ConnectError) return error;
  const fault = Fault.from(error, "the request");
  const { code, retryAfterMs } = fault;
  const message =
    code === "INTERNAL"
      ? `something went wrong inside diskferry: its log says what, under request ${requestId}`
      : fault.message;
  const { reason, ...details } = code === "INTERNAL" ? {} : fault.details;
  const info = create(ErrorInfoSchema, {
    code,
    reason: reason === undefined ? "" : String(reason),
    metadata: Object.fromEntries(Object.entries(details).map(([name, value]) => [name, String(value)])),
    retryable: fault.retryable,
    retryAfter: retryAfterMs === undefined ? undefined : durationFromMs(retryAfterMs),
  });
  const headers: Record<string, string> =
    retryAfterMs === undefined ? {} : { "retry-after": String(Math.ceil(retryAfterMs / 1000)) };
  return new ConnectError(message, CODES[code], headers, [{ desc: ErrorInfoSchema, value: info }], error);
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
