/** A raw disk in a tar.gz archive, as Alibaba Cloud gives out exports in RAW format. */
import type { Format } from "../format.ts";
import { memberEncoder } from "./encoder.ts";
import { archiveLayout } from "./layout.ts";

export const tarGz: Format = {
  name: "tar.gz",
  summary: "A raw disk in a compressed tar archive: written, not read",
  writer: { layout: archiveLayout, encoder: memberEncoder },
};
