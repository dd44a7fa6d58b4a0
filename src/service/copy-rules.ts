/** Which copies are allowed: the rules of CopyImage, in the order in which they are held against a request. */
import { type Image, isEncrypted } from "../catalog/image.ts";
import type { Project } from "../catalog/project.ts";
import type { Region } from "../catalog/region.ts";
import type { FaultDetails } from "../fault/fault.ts";
import type { Caller } from "./caller.ts";
import { type Reason, refusal } from "./refusal.ts";
import { isOpen } from "./region-rules.ts";
import type { CopyEncryption } from "./request.ts";
import { owns } from "./visible.ts";

/** CP-E26: snapshots made before this moment are too old. */
const OLDEST_SNAPSHOT = Date.UTC(2013, 6, 15);

export interface CopyCase {
  readonly caller: Caller;
  readonly project: Project;
  readonly image: Image;
  readonly from: Region;
  readonly to: Region;
  /** Whether the image is plain, or its key opens it. */
  readonly readable: "yes" | "no";
  readonly encryption: CopyEncryption;
}

interface CopyRule {
  readonly rule: string;
  readonly reason: Reason;
  readonly broken: (copy: CopyCase) => boolean;
  readonly message: (copy: CopyCase) => string;
  readonly details?: (copy: CopyCase) => FaultDetails;
}

const across = ({ from, to }: CopyCase): boolean => from.id !== to.id;

const RULES: readonly CopyRule[] = [
  {
    rule: "CP-E11",
    reason: "image-community",
    broken: ({ image, caller }) => image.visibility === "community" && !owns(caller, image),
    message: ({ image }) => `image ${image.id}: community images cannot be copied`,
  },
  {
    rule: "CP-E31",
    reason: "image-not-published",
    broken: ({ image, to }) => image.productCode !== undefined && !image.publishedRegions.includes(to.id),
    message: ({ image, to }) => `image ${image.id}: is not published in ${to.id}`,
  },
  {
    rule: "CP-E32",
    reason: "image-not-authorized",
    broken: ({ image, caller }) =>
      image.productCode !== undefined &&
      !owns(caller, image) &&
      !image.authorizedProjects.includes(caller.project),
    message: ({ image, caller }) => `image ${image.id}: project ${caller.project} has no right to it`,
  },
  {
    rule: "CP-E46",
    reason: "image-cloud-box",
    broken: ({ image }) => image.cloudBox !== undefined,
    message: ({ image }) => `image ${image.id}: images of a cloud box cannot be copied`,
  },
  {
    rule: "CP-E45",
    reason: "image-vhd",
    broken: ({ image, from, to }) =>
      image.format.startsWith("vhd") && (from.vhdCopy === "refused" || to.vhdCopy === "refused"),
    message: ({ image }) => `image ${image.id}: VHD images cannot be copied between these regions`,
  },
  {
    rule: "CP-E26",
    reason: "snapshot-too-old",
    broken: ({ image }) => image.disks.some(({ createdAt }) => createdAt < OLDEST_SNAPSHOT),
    message: ({ image }) => `image ${image.id}: one of its disks was made before 2013-07-15`,
  },
  {
    rule: "CP-E27",
    reason: "snapshot-refused",
    broken: ({ image }) => image.disks.some(({ createImage }) => createImage === "refused"),
    message: ({ image }) => `image ${image.id}: no image may be made of one of its disks`,
  },
  {
    rule: "CP-E24",
    reason: "image-being-copied",
    broken: ({ image }) => image.source !== undefined && ["Waiting", "Creating"].includes(image.status),
    message: ({ image }) => `image ${image.id}: is being copied itself`,
  },
  {
    rule: "CP-13, CP-E4",
    reason: "image-status",
    broken: ({ image }) => image.status !== "Available",
    message: ({ image }) => `image ${image.id}: is ${image.status}, not Available`,
    details: ({ image }) => ({ status: image.status }),
  },
  {
    rule: "CP-E5",
    reason: "snapshot-missing",
    broken: ({ image }) => image.disks.some(({ object }) => object === undefined),
    message: ({ image }) => `image ${image.id}: one of its disks is not stored`,
  },
  {
    rule: "CP-14, CP-E30",
    reason: "image-shared",
    broken: (copy) => across(copy) && !owns(copy.caller, copy.image) && copy.image.productCode === undefined,
    message: ({ image }) => `image ${image.id}: images of others can be copied within their region only`,
  },
  {
    rule: "CP-E25",
    reason: "region-copy",
    broken: ({ from, to }) => from.copy === "refused" || to.copy === "refused",
    message: ({ from, to }) => `region ${from.copy === "refused" ? from.id : to.id} copies no images`,
  },
  {
    rule: "CP-E25",
    reason: "region-copy",
    broken: ({ from, to }) => !isOpen(from, "give images") || !isOpen(to, "take images"),
    message: ({ from, to }) =>
      `region ${isOpen(from, "give images") ? to.id : from.id} is closed or sold out`,
  },
  {
    rule: "CP-E20",
    reason: "region-egress",
    broken: (copy) => across(copy) && copy.from.egress === "refused",
    message: ({ from }) => `no image may leave region ${from.id}`,
  },
  {
    rule: "CP-E21",
    reason: "region-ingress",
    broken: (copy) =>
      across(copy) && copy.to.ingressFrom !== "any" && !copy.to.ingressFrom.includes(copy.from.id),
    message: ({ from, to }) => `region ${to.id} takes no image from ${from.id}`,
    details: ({ to }) => ({ regions: to.ingressFrom === "any" ? "" : to.ingressFrom.join(", ") }),
  },
  {
    rule: "CP-E39",
    reason: "region-compliance",
    broken: ({ from, to }) => from.complianceDeny.includes(to.id),
    message: ({ from, to }) => `regulations forbid to copy from ${from.id} to ${to.id}`,
  },
  {
    rule: "CP-E28, D6",
    reason: "region-same",
    broken: (copy) => !across(copy) && copy.encryption.wanted === "no" && isEncrypted(copy.image),
    message: ({ image }) => `image ${image.id}: is not decrypted within one region`,
  },
  {
    rule: "CP-E29",
    reason: "image-encrypted",
    broken: ({ readable }) => readable === "no",
    message: ({ image }) => `image ${image.id}: is encrypted with a key that cannot be used`,
  },
  {
    rule: "CP-E42",
    reason: "image-too-large",
    broken: ({ image, from }) => imageBytes(image) > (from.largestCopy ?? Number.POSITIVE_INFINITY),
    message: ({ image, from }) =>
      `image ${image.id}: is larger than the ${from.largestCopy} bytes that may be copied`,
  },
];

function imageBytes({ disks }: Image): number {
  return disks.reduce((sum, { size }) => sum + (size ?? 0), 0);
}

/** CP-E15: before anything is asked of the image. @throws Fault PERMISSION */
export function checkPayment({ id, payment }: Project): void {
  if (payment === "settled") return;
  throw refusal("payment-outstanding", `project ${id} has an outstanding payment`, { rule: "CP-E15" });
}

/** @throws the refusal of the first rule that is broken. */
export function checkCopy(copy: CopyCase): void {
  const broken = RULES.find((rule) => rule.broken(copy));
  if (broken === undefined) return;
  const { rule, reason, message, details } = broken;
  throw refusal(reason, message(copy), { rule, ...details?.(copy) });
}
