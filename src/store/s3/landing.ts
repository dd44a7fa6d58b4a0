/** Whether an object landed as it was sent, by what the store reports of it. */
import { Fault } from "../../fault/fault.ts";
import type { Landed } from "../store.ts";
import type { ObjectHead } from "./client.ts";
import { bareEtag, isComposite } from "./etag.ts";

/** What the object has to be. */
export interface Whole {
  /** Bytes. */
  readonly size: number;
  /** Undefined where the ETags of its parts do not tell. */
  readonly etag: string | undefined;
  /** 16 hex digits. */
  readonly crc64nvme: string | undefined;
}

/** @throws Fault VERIFY_FAILED */
export function judge(name: string, head: ObjectHead, whole: Whole): Landed {
  const etag = bareEtag(head.ETag);
  const wrong = (what: string, is: string | number, expected: string | number) =>
    new Fault(
      "VERIFY_FAILED",
      `${name}: the store reports ${what} ${is}, but ${expected} was sent; do not use it`,
    );
  if (head.ContentLength !== whole.size) throw wrong("a size of", head.ContentLength, whole.size);
  // With keys of KMS or of the customer, an ETag is no MD5 (Amazon S3 API Reference, "Object").
  const plain =
    head.SSECustomerAlgorithm === undefined && head.ServerSideEncryption?.startsWith("aws:kms") !== true;
  if (plain && whole.etag !== undefined && isComposite(etag) && etag !== whole.etag) {
    throw wrong("the ETag", etag, whole.etag);
  }
  // The header has the base64 of the big-endian bytes.
  const crc =
    head.ChecksumCRC64NVME === undefined
      ? undefined
      : Buffer.from(head.ChecksumCRC64NVME, "base64").toString("hex");
  if (whole.crc64nvme !== undefined && crc !== undefined && crc !== whole.crc64nvme) {
    throw wrong("the CRC-64/NVME", crc, whole.crc64nvme);
  }
  const confirmed = whole.crc64nvme !== undefined && crc !== undefined ? { crc64nvme: crc } : {};
  return { name, size: whole.size, ...(etag === "" ? {} : { etag }), confirmed };
}
