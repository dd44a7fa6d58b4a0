/**
 * zvhd and zvhd2, the compressed image formats of Huawei Cloud. Source of the layout: the published driver,
 * huaweicloud/ims-qemu-img. Both round the disk up to whole GiB; what is added reads as zeros.
 */
import type { ReadableFormat } from "../format.ts";
import { recordEncoder } from "./encoder.ts";
import { streamLayout } from "./layout.ts";
import { streamReader } from "./reader.ts";

/** Records in one zlib stream, to be read from the start. */
export const zvhd: ReadableFormat = {
  name: "zvhd",
  summary: "Huawei Cloud's compressed image: one zlib stream",
  reader: streamReader("zvhd"),
  writer: { layout: (options) => streamLayout("zvhd", options), encoder: recordEncoder },
};

/** Records that stand alone, with an index. */
export const zvhd2: ReadableFormat = {
  name: "zvhd2",
  summary: "Huawei Cloud's compressed image with an index: zstd or zlib blocks, lazy loading",
  reader: streamReader("zvhd2"),
  writer: { layout: (options) => streamLayout("zvhd2", options), encoder: recordEncoder },
};
