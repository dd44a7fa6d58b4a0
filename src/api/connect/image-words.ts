/** The words of images in messages. */
import { IMAGE_STATUSES } from "../../catalog/image.ts";
import { enumWords } from "./enum-words.ts";
import {
  DiskKindSchema,
  ImageStatusSchema,
  OsTypeSchema,
  VisibilitySchema,
} from "./generated/diskferry/v1/image_pb.ts";

export const IMAGE_STATUS = enumWords(ImageStatusSchema, IMAGE_STATUSES);
export const OS_TYPE = enumWords(OsTypeSchema, ["linux", "windows"]);
export const DISK_KIND = enumWords(DiskKindSchema, ["system", "data"]);
export const VISIBILITY = enumWords(VisibilitySchema, [
  "private",
  "shared",
  "community",
  "marketplace",
  "system",
]);
