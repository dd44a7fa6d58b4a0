/** Opens images in tests: from bytes or files, with the references that a test lists. */
import { readFileSync } from "node:fs";
import type { Extent, Range } from "../../../src/bytes/range.ts";
import type { Image, ReferenceGate } from "../../../src/format/format.ts";
import { qcow2 } from "../../../src/format/qcow2/qcow2.ts";
import { memorySource } from "../../../src/source/memory/memory.ts";
import type { Source } from "../../../src/source/source.ts";
import { closedGate } from "../../support/gate.ts";
import { readGuest } from "../../support/reference.ts";

export const never = new AbortController().signal;

export interface OpenOptions {
  readonly gate?: ReferenceGate;
  readonly snapshot?: string;
  readonly amplification?: "allow";
}

export function openImage(bytes: Uint8Array | Source, options: OpenOptions = {}): Promise<Image> {
  const source = bytes instanceof Uint8Array ? memorySource(bytes, "disk.qcow2") : bytes;
  return qcow2.reader.open(
    {
      source,
      gate: options.gate ?? closedGate,
      ...(options.snapshot === undefined ? {} : { snapshot: options.snapshot }),
      allowAmplification: options.amplification === "allow",
    },
    never,
  );
}

export async function guestOf(file: string, options: OpenOptions = {}, step?: number): Promise<Buffer> {
  await using image = await openImage(readFileSync(file), options);
  return readGuest(image, step);
}

export async function extentsOf(image: Image, range?: Range): Promise<Extent[]> {
  const extents: Extent[] = [];
  const all = range ?? { offset: 0, length: image.virtualSize };
  for await (const extent of image.extents(all, never)) extents.push(extent);
  return extents;
}

/** A gate that opens what the test lists, whatever the image calls it. */
export function listed(references: {
  readonly backing?: () => Promise<Image>;
  readonly dataFile?: () => Source;
}): ReferenceGate {
  return {
    async backing(reference, signal) {
      return references.backing === undefined ? closedGate.backing(reference, signal) : references.backing();
    },
    async dataFile(reference, signal) {
      return references.dataFile === undefined
        ? closedGate.dataFile(reference, signal)
        : references.dataFile();
    },
  };
}

/** A raw image, for backing chains. */
export function rawImage(bytes: Uint8Array): Image {
  const source = memorySource(bytes, "base.raw");
  return {
    format: "raw",
    virtualSize: bytes.length,
    sources: [source],
    unit: 512,
    order: "any",
    async *extents(range) {
      yield { kind: "data", ...range };
    },
    async pieces(range) {
      return [{ kind: "data", source: 0, ...range }];
    },
    report: () => ({
      format: "raw",
      virtualSize: bytes.length,
      fileSize: bytes.length,
      features: [],
      snapshots: [],
      findings: [],
    }),
    async [Symbol.asyncDispose]() {},
  };
}
