/** Why a use case refuses: a closed list, so that each dialect can say it in its own codes. */
import { Fault, type FaultCode, type FaultDetails } from "../fault/fault.ts";

const REASONS = {
  // the request
  malformed: "USAGE",
  "page-token": "USAGE",
  "token-malformed": "USAGE",
  "token-mismatch": "IDEMPOTENCY_MISMATCH",
  "container-form": "USAGE",
  // what is not there, or not for this caller to see
  "task-not-found": "NOT_FOUND",
  "image-not-found": "NOT_FOUND",
  "volume-not-found": "NOT_FOUND",
  "destination-not-found": "NOT_FOUND",
  "region-not-found": "NOT_FOUND",
  "source-region-not-found": "NOT_FOUND",
  "project-not-found": "NOT_FOUND",
  "key-not-found": "NOT_FOUND",
  "root-not-found": "NOT_FOUND",
  "resource-group-not-found": "NOT_FOUND",
  // the caller
  "not-owner": "PERMISSION",
  "admins-only": "PERMISSION",
  "payment-outstanding": "PERMISSION",
  "exports-refused": "PERMISSION",
  "imports-refused": "PERMISSION",
  "role-missing": "PERMISSION",
  "destination-image-store": "PERMISSION",
  "url-refused": "PERMISSION",
  // the image
  "image-status": "PRECONDITION",
  "image-being-copied": "PRECONDITION",
  "image-community": "PRECONDITION",
  "image-marketplace": "PRECONDITION",
  "image-not-published": "PRECONDITION",
  "image-not-authorized": "PRECONDITION",
  "image-cloud-box": "PRECONDITION",
  "image-vhd": "PRECONDITION",
  "image-too-large": "PRECONDITION",
  "image-encrypted": "PRECONDITION",
  "image-shared": "PRECONDITION",
  "image-in-use": "PRECONDITION",
  "image-disks": "PRECONDITION",
  "snapshot-missing": "PRECONDITION",
  "snapshot-too-old": "PRECONDITION",
  "snapshot-refused": "PRECONDITION",
  "image-name-taken": "ALREADY_EXISTS",
  "image-name-failed": "ALREADY_EXISTS",
  // encryption
  "key-service-disabled": "PRECONDITION",
  "key-service-closed": "PRECONDITION",
  "own-keys-refused": "PERMISSION",
  "default-encryption": "PRECONDITION",
  "key-state": "PRECONDITION",
  "key-grant": "PERMISSION",
  "key-tag-grant": "PERMISSION",
  "region-own-keys": "PRECONDITION",
  "region-algorithm": "PRECONDITION",
  "region-encrypt-on-copy": "PRECONDITION",
  "region-same": "PRECONDITION",
  "data-key-failed": "PRECONDITION",
  // the volume
  "volume-status": "PRECONDITION",
  "volume-frozen": "PRECONDITION",
  // the region
  "region-import-export": "PRECONDITION",
  "region-copy": "PRECONDITION",
  "region-egress": "PRECONDITION",
  "region-ingress": "PRECONDITION",
  "region-compliance": "PRECONDITION",
  "region-format": "PRECONDITION",
  "region-image-store": "PRECONDITION",
  "destination-region": "PRECONDITION",
  // what stands in the way, or is not there where it must be
  "object-missing": "NOT_FOUND",
  "object-exists": "ALREADY_EXISTS",
  "entry-exists": "ALREADY_EXISTS",
  "export-unfinished": "CONFLICT",
  "import-unfinished": "CONFLICT",
  "copy-unfinished": "CONFLICT",
  "object-unfinished": "CONFLICT",
  /** Another task of that name is on its way to its end. */
  cancelling: "CONFLICT",
  changed: "CONFLICT",
  "quota-images": "QUOTA_EXCEEDED",
  "quota-snapshots": "QUOTA_EXCEEDED",
  "quota-exports": "QUOTA_EXCEEDED",
  "quota-weekly-exports": "QUOTA_EXCEEDED",
  "quota-unfinished": "QUOTA_EXCEEDED",
  // the task
  finished: "PRECONDITION",
  "already-cancelling": "PRECONDITION",
  committing: "PRECONDITION",
} as const satisfies Readonly<Record<string, FaultCode>>;

export type Reason = keyof typeof REASONS;

export function refusal(reason: Reason, message: string, details: FaultDetails = {}): Fault {
  return new Fault(REASONS[reason], message, { details: { ...details, reason } });
}

/** What the names begin with that tasks claim. */
const CLAIMED: readonly (readonly [string, Reason])[] = [
  ["export ", "export-unfinished"],
  ["import ", "import-unfinished"],
  ["copy ", "copy-unfinished"],
  ["object ", "object-unfinished"],
];

/** Gives a fault of the record its reason; anything else stays as it is. */
export function withReason(error: unknown): unknown {
  if (!(error instanceof Fault) || error.details["reason"] !== undefined) return error;
  const reason = reasonOf(error);
  return reason === undefined ? error : refusal(reason, error.message, error.details);
}

function reasonOf({ code, details }: Fault): Reason | undefined {
  switch (code) {
    case "IDEMPOTENCY_MISMATCH":
      return "token-mismatch";
    case "QUOTA_EXCEEDED": {
      const reason = `quota-${details["quota"]}`;
      return reason in REASONS ? (reason as Reason) : undefined;
    }
    case "ALREADY_EXISTS":
      if (details["image"] === undefined) return "entry-exists";
      return details["status"] === "CreateFailed" ? "image-name-failed" : "image-name-taken";
    case "CONFLICT": {
      if (details["state"] === "cancelling") return "cancelling";
      const name = String(details["exclusive"] ?? "");
      return CLAIMED.find(([prefix]) => name.startsWith(prefix))?.[1] ?? "changed";
    }
    default:
      return undefined;
  }
}
