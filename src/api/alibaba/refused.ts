/** Refusals of this dialect, and those of the use cases in its words. */
import { Fault, type FaultCode } from "../../fault/fault.ts";
import type { Reason } from "../../service/refusal.ts";
import { ERRORS, LATER_NAMES, type Rule } from "./errors.ts";

export type ErrorCodes = "2018" | "2021";

const CODES: Readonly<Record<number, FaultCode>> = {
  401: "CREDENTIALS",
  403: "PERMISSION",
  404: "NOT_FOUND",
  409: "CONFLICT",
  500: "INTERNAL",
  503: "STORE_UNAVAILABLE",
};

/** @param about what stands in the message for `%s` */
export function refused(error: Rule, about = ""): Fault {
  const [status, , message] = ERRORS[error];
  return new Fault(
    CODES[status] ?? "USAGE",
    message.replace("%s", () => about),
    {
      details: { error, about },
    },
  );
}

/** What an action makes of refusals and faults; a pair says which detail of the fault its message is about. */
export interface Refusals {
  readonly reasons: Readonly<Partial<Record<Reason, Rule | readonly [Rule, string]>>>;
  /** Of faults that come without a reason, from stores above all. */
  readonly codes?: Readonly<Partial<Record<FaultCode, Rule>>>;
}

/** What is said of refusals that can meet any action. */
const COMMON: Refusals["reasons"] = {
  malformed: ["invalid-parameter", "field"],
  "token-mismatch": "token-mismatch",
  "region-not-found": "region-unknown",
  "image-not-found": "CP-E47",
  "project-not-found": "CP-E17",
  "resource-group-not-found": "CP-E49",
  "quota-unfinished": "throttled",
};

/** What is said of everything else: the least that its code tells. */
const BY_CODE: Readonly<Record<FaultCode, Rule>> = {
  USAGE: "refused",
  NOT_FOUND: "refused",
  ALREADY_EXISTS: "conflict",
  UNSUPPORTED_FORMAT: "refused",
  UNSUPPORTED_FEATURE: "refused",
  FORMAT_MISMATCH: "refused",
  REFERENCE_NOT_LISTED: "refused",
  LIMIT_EXCEEDED: "too-large",
  PRECONDITION: "denied",
  CONFLICT: "conflict",
  QUOTA_EXCEEDED: "denied",
  IDEMPOTENCY_MISMATCH: "token-mismatch",
  IMAGE_CORRUPT: "refused",
  IMAGE_TRUNCATED: "refused",
  IMAGE_DIRTY: "refused",
  AMPLIFICATION: "refused",
  SOURCE_CHANGED: "conflict",
  IO: "CP-E18",
  NO_SPACE: "unavailable",
  NETWORK: "unavailable",
  TIMEOUT: "unavailable",
  CREDENTIALS: "denied",
  CREDENTIALS_EXPIRED: "unavailable",
  PERMISSION: "key-actions",
  THROTTLED: "throttled",
  STORE_UNAVAILABLE: "unavailable",
  STORE_REFUSED: "denied",
  STORE_PROTOCOL: "unavailable",
  CHECKSUM_MISMATCH: "unavailable",
  VERIFY_FAILED: "denied",
  CANCELED: "unavailable",
  INTERNAL: "CP-E18",
};

export interface Told {
  readonly status: number;
  readonly code: string;
  readonly message: string;
  /** Seconds. */
  readonly retryAfter?: number;
}

export function told(fault: Fault, refusals: Refusals, names: ErrorCodes): Told {
  const [error, about] = errorOf(fault, refusals);
  const [status, code, message] = ERRORS[error];
  const [shownStatus, shownCode] = (names === "2021" ? LATER_NAMES[error] : undefined) ?? [status, code];
  const { retryAfterMs } = fault;
  return {
    status: shownStatus,
    code: shownCode,
    message: message.replace("%s", () => about),
    ...(retryAfterMs === undefined ? {} : { retryAfter: Math.ceil(retryAfterMs / 1000) }),
  };
}

function errorOf({ code, details }: Fault, refusals: Refusals): readonly [Rule, string] {
  const own = details["error"];
  if (typeof own === "string" && Object.hasOwn(ERRORS, own)) return [own as Rule, String(details["about"])];
  const reason = details["reason"] as Reason | undefined;
  const said = reason === undefined ? refusals.codes?.[code] : (refusals.reasons[reason] ?? COMMON[reason]);
  const found = said ?? BY_CODE[code];
  if (typeof found === "string") return [found, ""];
  const [rule, detail] = found;
  return [rule, String(details[detail] ?? "")];
}
