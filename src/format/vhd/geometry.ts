/** Cylinders, heads and sectors, as a VHD footer states them. */

export interface Geometry {
  readonly cylinders: number;
  readonly heads: number;
  readonly sectors: number;
}

/** The largest disk that a geometry can state, in sectors. A footer with it leaves the size to its size field. */
export const MAX_GEOMETRY_SECTORS = 65535 * 16 * 255;

export function geometrySectors({ cylinders, heads, sectors }: Geometry): number {
  return cylinders * heads * sectors;
}

/**
 * The geometry of a disk of so many 512-byte sectors. It states at most as many sectors as there are.
 * Source: Virtual Hard Disk Image Format Specification 1.0, appendix "CHS Calculation".
 */
export function geometryFor(totalSectors: number): Geometry {
  const total = Math.min(totalSectors, MAX_GEOMETRY_SECTORS);
  if (total >= 65535 * 16 * 63) return { cylinders: Math.floor(total / 255 / 16), heads: 16, sectors: 255 };
  let sectors = 17;
  let tracks = Math.floor(total / sectors);
  let heads = Math.max(4, Math.ceil(tracks / 1024));
  if (tracks >= heads * 1024 || heads > 16) {
    sectors = 31;
    heads = 16;
    tracks = Math.floor(total / sectors);
  }
  if (tracks >= heads * 1024) {
    sectors = 63;
    heads = 16;
    tracks = Math.floor(total / sectors);
  }
  return { cylinders: Math.floor(tracks / heads), heads, sectors };
}
