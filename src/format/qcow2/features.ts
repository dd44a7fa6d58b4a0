/** The feature bits of a version 3 header (qcow2 specification, "Header"): what they refuse, and what they say. */
import { Fault } from "../../fault/fault.ts";
import type { Finding } from "../format.ts";
import type { Extensions } from "./extensions.ts";

/** Bits of `incompatible_features`, all in the low word (qcow2 specification, "Header"). */
export const INCOMPATIBLE = { dirty: 1, corrupt: 2, dataFile: 4, compression: 8, extendedL2: 16 } as const;
const KNOWN_INCOMPATIBLE = 31;

/**
 * The incompatible features, all of them known.
 * @throws Fault UNSUPPORTED_FEATURE, IMAGE_CORRUPT, IMAGE_DIRTY
 */
export function checkedIncompatible(name: string, bytes: Buffer, extensions: Extensions): number {
  const high = bytes.readUInt32BE(72);
  const low = bytes.readUInt32BE(76);
  const unknown = bitNumbers(high, (low & ~KNOWN_INCOMPATIBLE) >>> 0);
  if (unknown.length > 0) {
    const names = unknown.map((bit) => extensions.featureNames.get(`incompatible ${bit}`) ?? `bit ${bit}`);
    throw new Fault(
      "UNSUPPORTED_FEATURE",
      `${name}: needs features that are not known: ${names.map((n) => JSON.stringify(n)).join(", ")}`,
    );
  }
  if ((low & INCOMPATIBLE.corrupt) !== 0) {
    throw new Fault(
      "IMAGE_CORRUPT",
      `${name}: is marked corrupt; run "qemu-img check -r all" on a copy and look at what it reports`,
    );
  }
  if ((low & INCOMPATIBLE.dirty) !== 0) {
    throw new Fault(
      "IMAGE_DIRTY",
      `${name}: was not closed cleanly (dirty bit) or is in use; when nothing uses it, run "qemu-img check -r all"`,
    );
  }
  return low;
}

/** Features in use, and what a reader should know of the optional ones. */
export function describeFeatures(
  bytes: Buffer,
  version: 2 | 3,
  incompatible: number,
  extensions: Extensions,
) {
  const features: string[] = [];
  const findings: Finding[] = [];
  if ((incompatible & INCOMPATIBLE.dataFile) !== 0) features.push("external data file");
  if ((incompatible & INCOMPATIBLE.extendedL2) !== 0) features.push("extended L2");
  if ((incompatible & INCOMPATIBLE.compression) !== 0) features.push("compression type");
  if (version === 3) {
    const compatible = bytes.readUInt32BE(84);
    if ((compatible & 1) !== 0) {
      features.push("lazy refcounts");
      findings.push(info("lazy_refcounts", "refcounts may lag behind after a crash; the mapping does not"));
    }
    const unknown = bitNumbers(bytes.readUInt32BE(80), (compatible & ~1) >>> 0);
    if (unknown.length > 0) {
      const names = unknown.map((bit) => extensions.featureNames.get(`compatible ${bit}`) ?? `bit ${bit}`);
      findings.push(info("unknown_compatible_features", `ignored: ${names.join(", ")}`));
    }
    const autoclear = bytes.readUInt32BE(92);
    if ((autoclear & 2) !== 0) features.push("raw external data file");
    const unknownAutoclear = bitNumbers(bytes.readUInt32BE(88), (autoclear & ~3) >>> 0);
    if (unknownAutoclear.length > 0) {
      const names = unknownAutoclear.map(
        (bit) => extensions.featureNames.get(`autoclear ${bit}`) ?? `bit ${bit}`,
      );
      findings.push(info("unknown_autoclear_features", `ignored: ${names.join(", ")}`));
    }
  }
  if (extensions.bitmaps) {
    features.push("bitmaps");
    findings.push(info("bitmaps", "persistent dirty bitmaps are not carried over"));
  }
  return { features, findings };
}

function bitNumbers(high: number, low: number): number[] {
  const bits: number[] = [];
  for (let bit = 0; bit < 64; bit += 1) {
    if ((((bit < 32 ? low : high) >>> (bit % 32)) & 1) === 1) bits.push(bit);
  }
  return bits;
}

export function info(name: string, message: string): Finding {
  return { name, severity: "info", message };
}

export function warning(name: string, message: string): Finding {
  return { name, severity: "warning", message };
}
