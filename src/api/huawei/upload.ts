/** The body of an export: `os-volume_upload_image` (EV-3 to EV-9). */
import { z } from "zod";
import { jsonOf } from "../body.ts";
import { misfit } from "./errors.ts";

const ACTION = "os-volume_upload_image";

/** EV-8. Han characters are allowed by the Chinese page. */
const IMAGE_NAME = /^(?! )[A-Za-z0-9._\- \p{Script=Han}]{1,128}(?<! )$/u;

const fields = z.object({
  image_name: z.string(),
  container_format: z.string().default("bare"),
  disk_format: z.string().default("vhd"),
  force: z.boolean().default(false),
  __os_type: z.string().exactOptional(),
  // Cinder's clients send these from 3.1 on.
  visibility: z.string().default("private"),
  protected: z.boolean().default(false),
});

const words = z.object({
  image_name: z.string().regex(IMAGE_NAME),
  container_format: z.enum(["ami", "ari", "aki", "ovf", "bare"]),
  disk_format: z.enum(["vhd", "zvhd", "zvhd2", "raw", "qcow2"]),
  force: z.boolean(),
  __os_type: z.enum(["windows", "linux"]).exactOptional(),
  // An image cannot be kept from being deleted.
  protected: z.literal(false),
});

export interface Upload {
  readonly imageName: string;
  readonly containerFormat: string;
  readonly diskFormat: string;
  /** EV-7. */
  readonly inUse: "allow" | "refuse";
  readonly osType?: "windows" | "linux";
}

/** @throws Fault USAGE that says which kind of misfit it is. */
export function parseUpload(body: Uint8Array): Upload {
  const said = jsonOf(body);
  if (said === undefined) throw misfit("bodyInvalid");
  if (typeof said !== "object" || said === null) throw misfit("bodyMalformed");
  if (!Object.hasOwn(said, ACTION)) {
    throw misfit(Object.keys(said).length === 0 ? "bodyMalformed" : "bodyMismatch");
  }
  const asked: unknown = said[ACTION as keyof typeof said];
  if (typeof asked !== "object" || asked === null) throw misfit("bodyMalformed");
  if (!Object.hasOwn(asked, "image_name")) throw misfit("bodyMalformed");
  const typed = fields.safeParse(asked);
  if (!typed.success) throw misfit("typeInvalid");
  // What all may see is for admins to decide.
  if (typed.data.visibility !== "private") throw misfit("forbidden");
  const read = words.safeParse(typed.data);
  if (!read.success) throw misfit("bodyMalformed");
  const { image_name, container_format, disk_format, force, __os_type } = read.data;
  return {
    imageName: image_name,
    containerFormat: container_format,
    diskFormat: disk_format,
    inUse: force ? "allow" : "refuse",
    ...(__os_type === undefined ? {} : { osType: __os_type }),
  };
}
