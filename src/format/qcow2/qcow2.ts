/** qcow2 versions 2 and 3, the format of QEMU (https://www.qemu.org/docs/master/interop/qcow2.html). */
import type { ReadableFormat } from "../format.ts";
import { encoder } from "./encoder.ts";
import { layout } from "./layout.ts";
import { reader } from "./reader.ts";

export const qcow2: ReadableFormat = {
  name: "qcow2",
  summary:
    "QEMU copy-on-write image: reads versions 2 and 3 with snapshots and backing files; plain, zlib or zstd",
  reader,
  writer: { layout, encoder },
};
