/** Header extensions (qcow2 specification, "Header extensions"): only what a reader needs from them. */
import { Fault } from "../../fault/fault.ts";

export interface Extensions {
  readonly backingFormat?: string;
  readonly dataFileName?: string;
  readonly bitmaps: boolean;
  readonly encryptionHeader: boolean;
  /** Keys such as `incompatible 5`. */
  readonly featureNames: ReadonlyMap<string, string>;
}

const TYPE = {
  end: 0,
  backingFormat: 0xe2792aca,
  featureNames: 0x6803f857,
  bitmaps: 0x23852875,
  encryption: 0x0537be77,
  dataFile: 0x44415441,
} as const;

const FEATURE_KINDS = ["incompatible", "compatible", "autoclear"] as const;
const FEATURE_ENTRY = 48;

/**
 * Parses the extensions that stand in `area` from `start` on; `area` ends where the backing file name or the
 * first cluster does.
 * @throws Fault IMAGE_CORRUPT when an extension leaves the area
 */
export function parseExtensions(name: string, area: Buffer, start: number): Extensions {
  const featureNames = new Map<string, string>();
  let backingFormat: string | undefined;
  let dataFileName: string | undefined;
  let bitmaps = false;
  let encryptionHeader = false;
  for (let at = start; at + 8 <= area.length; ) {
    const type = area.readUInt32BE(at);
    const length = area.readUInt32BE(at + 4);
    if (type === TYPE.end) break;
    if (at + 8 + length > area.length) {
      throw new Fault(
        "IMAGE_CORRUPT",
        `${name}: the header extension 0x${type.toString(16)} at ${at} has ${length} bytes and leaves the header cluster`,
      );
    }
    const data = area.subarray(at + 8, at + 8 + length);
    if (type === TYPE.backingFormat) backingFormat = data.toString("utf8");
    else if (type === TYPE.dataFile) dataFileName = data.toString("utf8");
    else if (type === TYPE.bitmaps) bitmaps = true;
    else if (type === TYPE.encryption) encryptionHeader = true;
    else if (type === TYPE.featureNames) addFeatureNames(data, featureNames);
    at += 8 + Math.ceil(length / 8) * 8;
  }
  return {
    ...(backingFormat === undefined ? {} : { backingFormat }),
    ...(dataFileName === undefined ? {} : { dataFileName }),
    bitmaps,
    encryptionHeader,
    featureNames,
  };
}

function addFeatureNames(table: Buffer, names: Map<string, string>): void {
  for (let at = 0; at + FEATURE_ENTRY <= table.length; at += FEATURE_ENTRY) {
    const kind = FEATURE_KINDS[table.readUInt8(at)];
    const label = table.subarray(at + 2, at + FEATURE_ENTRY);
    const end = label.indexOf(0);
    if (kind !== undefined) {
      names.set(
        `${kind} ${table.readUInt8(at + 1)}`,
        label.toString("utf8", 0, end < 0 ? label.length : end),
      );
    }
  }
}
