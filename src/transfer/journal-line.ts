/** The lines of a journal, as they are written and as they are believed when they are read again. */
import { z } from "zod";
import type { Checksums } from "../digest/checksum.ts";
import type { UploadToken } from "../store/store.ts";

/** What the journal keeps of a segment. */
export interface JournaledSegment {
  readonly number: number;
  readonly length: number;
  readonly etag: string;
  readonly checksums: Checksums;
  /** Contribution to the guest digest, in hex. Absent: not all of the segment was decoded. */
  readonly guest?: string;
  readonly zero?: true;
  readonly offset?: number;
}

/** What is known of the whole object just before it is published. */
export interface SealedObject {
  /** Absent: not all of the disk was decoded. */
  readonly guestDigest?: string;
  readonly checksums: Checksums;
}

/** A unit table as `packTable` writes it. */
export interface PackedTable {
  readonly units: string;
  readonly places?: string;
}

export type JournalLine =
  | { readonly event: "begin"; readonly version: 1; readonly identity: string; readonly token: UploadToken }
  | { readonly event: "intent"; readonly at: number }
  | { readonly event: "segment"; readonly receipt: JournaledSegment; readonly table?: PackedTable }
  | { readonly event: "sealed"; readonly object: SealedObject };

const count = z.int().nonnegative();
const checksums = z.strictObject({
  md5: z.string().exactOptional(),
  crc64xz: z.string().exactOptional(),
  crc64nvme: z.string().exactOptional(),
});
/** A Date can be made of it. */
const time = count.max(8.64e15);

const lineSchema: z.ZodType<JournalLine> = z.discriminatedUnion("event", [
  z.object({
    event: z.literal("begin"),
    version: z.literal(1),
    identity: z.string(),
    token: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
  }),
  z.object({ event: z.literal("intent"), at: time }),
  z.object({
    event: z.literal("segment"),
    receipt: z.object({
      number: count,
      length: count,
      etag: z.string(),
      checksums,
      guest: z
        .string()
        .regex(/^[0-9a-f]{32}$/)
        .exactOptional(),
      zero: z.literal(true).exactOptional(),
      offset: count.exactOptional(),
    }),
    table: z.object({ units: z.base64(), places: z.base64().exactOptional() }).exactOptional(),
  }),
  z.object({
    event: z.literal("sealed"),
    object: z.object({ guestDigest: z.string().exactOptional(), checksums }),
  }),
]);

/** The line, or undefined when no version of this program that is known here has written it. */
export function parseLine(text: string): JournalLine | undefined {
  try {
    return lineSchema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
