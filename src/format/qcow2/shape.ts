/** What a written image consists of before its data: the parts of the head and their sizes. */
import type { Compression } from "../format.ts";

/** What the head depends on. Sizes in bytes. */
export interface Shape {
  readonly clusterBits: number;
  readonly clusterSize: number;
  readonly virtualSize: number;
  readonly compression: Compression;
  readonly l1Entries: number;
  /** L2 entries in a table. */
  readonly tableEntries: number;
}

/** Clusters of the parts of the head, in their order. */
export interface HeadParts {
  readonly refcountTable: number;
  readonly refcountBlocks: number;
  readonly l1: number;
  readonly tables: number;
  /** All of them and the header. */
  readonly used: number;
}

/** Clusters that the head needs when the whole file has `total` clusters. */
export function headParts(shape: Shape, tables: number, total: number): HeadParts {
  const { clusterSize } = shape;
  const refcountBlocks = Math.ceil(total / (clusterSize / 2));
  const refcountTable = Math.ceil((refcountBlocks * 8) / clusterSize);
  const l1 = Math.ceil((shape.l1Entries * 8) / clusterSize);
  return {
    refcountTable,
    refcountBlocks,
    l1,
    tables,
    used: 1 + refcountTable + refcountBlocks + l1 + tables,
  };
}
