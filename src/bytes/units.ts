/** Sizes, always in bytes. */
import { Fault } from "../fault/fault.ts";

export const KiB = 1024;
export const MiB = 1024 ** 2;
export const GiB = 1024 ** 3;
export const TiB = 1024 ** 4;

/** The sector of every disk image format here, in bytes. */
export const SECTOR = 512;

const FACTORS: Readonly<Record<string, number>> = { "": 1, k: KiB, m: MiB, g: GiB, t: TiB };

/**
 * Reads a size such as `65536`, `64K`, `64KiB`, `1.5G` or `10MB` (every suffix is binary).
 * @throws Fault USAGE when the text is no size or not a whole number of bytes.
 */
export function parseSize(text: string): number {
  const match = /^\s*(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?\s*$/i.exec(text);
  const factor = FACTORS[match?.[2]?.toLowerCase() ?? ""];
  const bytes = Number(match?.[1]) * (factor ?? Number.NaN);
  if (match === null || !Number.isSafeInteger(bytes)) {
    throw new Fault(
      "USAGE",
      `"${text}" is not a size: write bytes or a number with K, M, G or T, such as 64K`,
    );
  }
  return bytes;
}

/** A size for people: `512 B`, `64.0 KiB`, `1.2 GiB`. */
export function formatSize(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return unit === 0 ? `${bytes} B` : `${value.toFixed(1)} ${units[unit]}`;
}

export function alignUp(value: number, alignment: number): number {
  return Math.ceil(value / alignment) * alignment;
}

export function alignDown(value: number, alignment: number): number {
  return Math.floor(value / alignment) * alignment;
}
