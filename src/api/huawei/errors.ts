/** The error catalogue of Huawei's EVS, as far as its rules can be broken here: all codes are EVS's own. */
import { Fault, type FaultCode } from "../../fault/fault.ts";
import type { Reason } from "../../service/refusal.ts";
import { errorCatalogue } from "../error-catalogue.ts";

const CATALOGUE = errorCatalogue({
  projectInvalid: [400, "EVS.0001", "invalid tenant id!", "EV-1"],
  tokenInvalid: [400, "EVS.0002", "invalid token!", "EV-2"],
  volumeIdInvalid: [400, "EVS.1002", "invalid volume id!", "EV-1"],
  typeInvalid: [400, "EVS.1018", "Type conversion error", "EV-3 to EV-9"],
  keyActions: [403, "EVS.1027", "user role is not allowed for this action!", "EVS"],
  resourceStatus: [400, "EVS.1031", "invalid resources status!", "EV-7"],
  bodyInvalid: [400, "EVS.1052", "invalid http body!", "EV-3"],
  volumeLocked: [400, "EVS.2068", "operation failed because of volume be locked", "EV-11"],
  volumeFrozen: [403, "EVS.2144", "account frozen", "EVS"],
  accountSuspended: [403, "EVS.2145", "account suspended", "EVS"],
  bodyMalformed: [400, "EVS.5400", "Malformed request body.", "EV-4, EV-5, EV-8, EV-9"],
  urlMalformed: [400, "EVS.5400", "Malformed request url.", "EV-1"],
  bodyMismatch: [400, "EVS.5400", "Request body and URI mismatch.", "EV-3"],
  volumeInUse: [400, "EVS.5400", "Must specify a valid status.", "EV-7"],
  unauthenticated: [401, "EVS.5401", "Authentication required.", "EV-2"],
  forbidden: [403, "EVS.5403", "Policy check failed.", "EVS"],
  // The spelling is theirs (D7).
  notFound: [404, "EVS.5404", "Resource(Volume, Snapshot, Backup .etc) cound not be found.", "EVS"],
  methodUnknown: [405, "EVS.5405", "Method is not allowed.", "INF"],
  quotaExceeded: [413, "EVS.5413", "Insufficient volume quota.", "EVS"],
  internal: [
    500,
    "EVS.5500",
    "The server has either erred or is incapable of performing the requested operation.",
    "EVS",
  ],
  unavailable: [503, "EVS.5503", "The service is currently unable to handle the request.", "EVS"],
});

export const { names: HUAWEI_ERRORS, errorRow, misfit } = CATALOGUE;

export type HuaweiError = (typeof HUAWEI_ERRORS)[number];

/** Which row a refusal or another fault becomes, by its reason, else by its code. */
const ANY: Readonly<Partial<Record<Reason | FaultCode, HuaweiError>>> = {
  "volume-not-found": "notFound",
  "image-not-found": "notFound",
  "task-not-found": "notFound",
  "volume-frozen": "volumeFrozen",
  "payment-outstanding": "accountSuspended",
  "volume-status": "resourceStatus",
  malformed: "bodyMalformed",
  "page-token": "urlMalformed",
  changed: "volumeLocked",
  CONFLICT: "volumeLocked",
  "imports-refused": "forbidden",
  "region-import-export": "forbidden",
  "region-image-store": "unavailable",
  PERMISSION: "forbidden",
  QUOTA_EXCEEDED: "quotaExceeded",
  LIMIT_EXCEEDED: "bodyInvalid",
  NOT_FOUND: "notFound",
  THROTTLED: "unavailable",
  NO_SPACE: "unavailable",
};

/** The row for whatever was thrown. */
export function errorOf(thrown: unknown): HuaweiError {
  const fault = Fault.from(thrown, "the request");
  const named = CATALOGUE.nameOf(fault);
  if (named !== undefined) return named;
  const {
    code,
    details: { reason, status },
  } = fault;
  if (reason === "volume-status" && status === "in-use") return "volumeInUse";
  if (reason === "volume-status" && status === "uploading") return "volumeLocked";
  return (reason === undefined ? undefined : ANY[reason as Reason]) ?? ANY[code] ?? "internal";
}
