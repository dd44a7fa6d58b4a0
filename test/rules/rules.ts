/** Every rule, document by document. */
import { COPY_IMAGE } from "./copy-image.ts";
import { DECISIONS } from "./decisions.ts";
import { EVS } from "./evs.ts";
import { EXPORT_IMAGE } from "./export-image.ts";
import { FUJITSU } from "./fujitsu.ts";
import { IMPORT_IMAGE } from "./import-image.ts";
import { COMMON, NEIGHBOURS } from "./neighbours.ts";
import type { Source } from "./rule.ts";

export const SOURCES: readonly Source[] = [
  FUJITSU,
  EXPORT_IMAGE,
  IMPORT_IMAGE,
  COPY_IMAGE,
  EVS,
  NEIGHBOURS,
  COMMON,
  DECISIONS,
];
