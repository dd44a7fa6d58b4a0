/**
 * The error catalogue of Fujitsu's image export and import. Rows marked INF are ours: the public pages end before them.
 */
import { Fault, type FaultCode } from "../../fault/fault.ts";
import type { Reason } from "../../service/refusal.ts";
import { errorCatalogue } from "../error-catalogue.ts";

const CATALOGUE = errorCatalogue({
  bodyMalformed: [400, "40000", "Request body has invalid format.", "INF"],
  imageIdMissing: [400, "40001", "Required parameter 'image_id' is not specified.", "FJ-1"],
  imageIdInvalid: [400, "40002", "Parameter 'image_id' has invalid value.", "FJ-5"],
  containerMissing: [400, "40003", "Required parameter 'storage_container' is not specified.", "FJ-2"],
  containerInvalid: [400, "40004", "Parameter 'storage_container' has invalid value.", "FJ-3"],
  projectUnknown: [400, "40005", "Project id does not exist.", "FJ-3"],
  exportUnfinished: [400, "40006", "The image is already being exported to the container.", "FJ-6, INF"],
  fileExists: [400, "40007", "A file of the image already exists in the container.", "FJ-7, INF"],
  containerUnknown: [400, "40008", "Container does not exist.", "FJ-2, INF"],
  cancelTwice: [400, "40010", "Export_id is already accepted cancelling.", "FJ-24"],
  exportStartInvalid: [400, "40013", "Query parameter 'start' has invalid value.", "FJ-9"],
  exportLimitInvalid: [400, "40014", "Query parameter 'limit' has invalid value.", "FJ-10, INF"],
  nameMissing: [400, "40015", "Required parameter 'name' is not specified.", "INF"],
  nameInvalid: [400, "40016", "Parameter 'name' has invalid value.", "INF"],
  locationMissing: [400, "40017", "Required parameter 'location' is not specified.", "INF"],
  locationInvalid: [400, "40018", "Parameter 'location' has invalid value.", "FJ-3, INF"],
  checksumInvalid: [400, "40019", "Parameter 'checksum' has invalid value.", "INF"],
  idInvalid: [400, "40020", "Parameter 'id' has invalid value.", "INF"],
  idTaken: [400, "40021", "Image of specified id already exists.", "INF"],
  minRamInvalid: [400, "40022", "Parameter 'min_ram' has invalid value.", "INF"],
  minDiskInvalid: [400, "40023", "Parameter 'min_disk' has invalid value.", "INF"],
  osTypeMissing: [400, "40024", "Required parameter 'os_type' is not specified.", "INF"],
  osTypeInvalid: [400, "40025", "Parameter 'os_type' has invalid value.", "INF"],
  importUnfinished: [400, "40026", "The file is already being imported as an image of the name.", "INF"],
  importStartInvalid: [400, "40035", "Query parameter 'start' has invalid value.", "FJ-9"],
  importLimitInvalid: [400, "40036", "Query parameter 'limit' has invalid value.", "FJ-10"],
  tokenInvalid: [401, "40101", "Authentication required.", "INF"],
  forbidden: [403, "40301", "You cannot execute this API.", "FJ api"],
  quotaExceeded: [403, "40302", "The number of requests exceeds the limit.", "INF"],
  exportUnknown: [404, "40401", "Invalid export_id.", "FJ-22"],
  exportFinished: [404, "40402", "Export_id was already finished.", "FJ-23, D1"],
  importUnknown: [404, "40403", "Invalid import_id.", "INF"],
  pathUnknown: [404, "40404", "Requested URL does not exist.", "INF"],
  methodUnknown: [405, "40501", "Method is not allowed.", "INF"],
  changedMeanwhile: [409, "40901", "The image was changed meanwhile. Try again.", "INF"],
  bodyTooLarge: [413, "41301", "Request body is too large.", "INF"],
  internal: [500, "50001", "Internal server error.", "FJ api"],
  storeFailed: [500, "50002", "Internal server error.", "FJ api"],
  unavailable: [503, "50301", "Service is unavailable. Try again later.", "INF"],
});

export const { names: FUJITSU_ERRORS, errorRow, misfit } = CATALOGUE;

export type FujitsuError = (typeof FUJITSU_ERRORS)[number];

/** Which row a refusal or another fault becomes, by its reason (and field), else by its code. */
export type Mapping = Readonly<Partial<Record<Reason | FaultCode | "malformed name", FujitsuError>>>;

export const EXPORT: Mapping = {
  "image-not-found": "imageIdInvalid",
  "not-owner": "imageIdInvalid",
  "image-status": "imageIdInvalid",
  "image-marketplace": "imageIdInvalid",
  "image-encrypted": "imageIdInvalid",
  "snapshot-missing": "imageIdInvalid",
  // The image's name makes no name of an object.
  malformed: "imageIdInvalid",
  "container-form": "containerInvalid",
  "destination-region": "containerInvalid",
  "destination-image-store": "containerInvalid",
  "destination-not-found": "containerUnknown",
  NOT_FOUND: "containerUnknown",
  "image-disks": "imageIdInvalid",
  "export-unfinished": "exportUnfinished",
  // The pair's last export is still on its way to its end.
  cancelling: "exportUnfinished",
  "object-exists": "fileExists",
  "object-unfinished": "fileExists",
};

export const IMPORT: Mapping = {
  "container-form": "locationInvalid",
  "destination-not-found": "locationInvalid",
  "destination-region": "locationInvalid",
  "destination-image-store": "locationInvalid",
  "malformed name": "nameInvalid",
  malformed: "locationInvalid",
  "entry-exists": "idTaken",
  "object-missing": "locationInvalid",
  "import-unfinished": "importUnfinished",
  cancelling: "importUnfinished",
};

export const OF_EXPORT: Mapping = {
  "task-not-found": "exportUnknown",
  "already-cancelling": "cancelTwice",
  finished: "exportFinished",
  committing: "exportFinished",
};

export const OF_IMPORT: Mapping = { "task-not-found": "importUnknown" };

/** What does not depend on the call. */
const ANY: Mapping = {
  "exports-refused": "forbidden",
  "imports-refused": "forbidden",
  "region-import-export": "forbidden",
  "region-format": "forbidden",
  "role-missing": "forbidden",
  PERMISSION: "forbidden",
  QUOTA_EXCEEDED: "quotaExceeded",
  CONFLICT: "changedMeanwhile",
  LIMIT_EXCEEDED: "bodyTooLarge",
  CREDENTIALS: "storeFailed",
  STORE_REFUSED: "storeFailed",
  STORE_PROTOCOL: "storeFailed",
  NETWORK: "unavailable",
  TIMEOUT: "unavailable",
  THROTTLED: "unavailable",
  STORE_UNAVAILABLE: "unavailable",
  CREDENTIALS_EXPIRED: "unavailable",
};

/** The row for whatever was thrown. */
export function errorOf(thrown: unknown, mapping: Mapping): FujitsuError {
  const fault = Fault.from(thrown, "the request");
  const named = CATALOGUE.nameOf(fault);
  if (named !== undefined) return named;
  const {
    code,
    details: { reason, field },
  } = fault;
  const ofField = field === "name" ? mapping["malformed name"] : undefined;
  if (ofField !== undefined) return ofField;
  const ofReason = reason === undefined ? undefined : (mapping[reason as Reason] ?? ANY[reason as Reason]);
  return ofReason ?? mapping[code] ?? ANY[code] ?? "internal";
}
