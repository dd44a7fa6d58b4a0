/** Opens an image together with the files that the request lists for it. */
import { Fault } from "../fault/fault.ts";
import { openDetected } from "../format/detect.ts";
import type { Image, Reference, ReferenceGate } from "../format/format.ts";
import { raw } from "../format/raw/raw.ts";
import { formatByUserName } from "../format/registry.ts";
import { memorySource } from "../source/memory/memory.ts";
import type { Source } from "../source/source.ts";
import type { Places } from "./places.ts";

export interface ImageRequest {
  readonly location: string;
  /** Format name as the user wrote it; absent: recognised by the content. */
  readonly format?: string;
  /** Locations of the backing chain (or VHD parents), nearest first. */
  readonly backing: readonly string[];
  readonly dataFile?: string;
  readonly snapshot?: string;
  readonly allowAmplification: boolean;
}

export interface OpenedImage extends AsyncDisposable {
  readonly image: Image;
  /** The image's own file. */
  readonly source: Source;
}

/**
 * Disposing closes the image and every file that was opened for it.
 * @param unlisted what becomes of references that the request does not list: refused, or replaced by an empty disk
 * for a look at the image alone.
 */
export async function openImage(
  request: ImageRequest,
  places: Places,
  signal: AbortSignal,
  unlisted: "refuse" | "stand in" = "refuse",
): Promise<OpenedImage> {
  const stack = new AsyncDisposableStack();
  try {
    const open = async (location: string): Promise<Source> =>
      stack.use(await places.source(location, signal));
    const gate = listedOnly(request, open, (location) => places.source(location, signal), unlisted);
    const source = await open(request.location);
    const declared = request.format === undefined ? undefined : formatByUserName(request.format);
    const { allowAmplification, snapshot } = request;
    const image = stack.use(
      await openDetected(
        { source, gate, allowAmplification, ...(snapshot === undefined ? {} : { snapshot }) },
        declared,
        signal,
      ),
    );
    const unused = gate.unused();
    if (unused !== undefined) {
      throw new Fault("USAGE", `${source.name}: does not refer to ${unused}; leave it out of the request`);
    }
    const opened = stack.move();
    return { image, source, [Symbol.asyncDispose]: () => opened.disposeAsync() };
  } catch (error) {
    await stack.disposeAsync();
    throw error;
  }
}

/**
 * Opens an image that may name no other file. Disposing closes the source, too.
 * @param format as declared; undefined: recognised by its mark.
 */
export async function openAlone(
  source: Source,
  format: string | undefined,
  signal: AbortSignal,
): Promise<OpenedImage> {
  await using stack = new AsyncDisposableStack();
  stack.use(source);
  const request = { source, gate: CLOSED_GATE, allowAmplification: false };
  const declared = format === undefined ? undefined : formatByUserName(format);
  const image = stack.use(await openDetected(request, declared, signal));
  const opened = stack.move();
  return { image, source, [Symbol.asyncDispose]: () => opened.disposeAsync() };
}

/** Opens what is stored byte for byte, whatever it may mean. Disposing closes the source. */
export async function openBytes(source: Source, signal: AbortSignal): Promise<OpenedImage> {
  const request = { source, gate: CLOSED_GATE, allowAmplification: false };
  const image = await raw.reader.open(request, signal);
  return { image, source, [Symbol.asyncDispose]: () => source[Symbol.asyncDispose]() };
}

/**
 * The gate that opens what the request lists, and nothing else. The listed backing files stand for the references in
 * the order in which the chain asks; the names inside images are only shown.
 */
function listedOnly(
  request: ImageRequest,
  open: (location: string) => Promise<Source>,
  // The image closes its data file itself.
  openDataFile: (location: string) => Promise<Source>,
  unlisted: "refuse" | "stand in",
): ReferenceGate & { unused(): string | undefined } {
  const backing = [...request.backing];
  let dataFile = request.dataFile;
  const gate: ReferenceGate & { unused(): string | undefined } = {
    async backing(reference, signal) {
      const location = backing.shift();
      if (location === undefined && unlisted === "stand in") return standInImage(signal);
      if (location === undefined) throw notListed(reference, "--backing");
      const source = await open(location);
      const declared = reference.format === undefined ? undefined : namedByImage(reference);
      return openDetected({ source, gate, allowAmplification: request.allowAmplification }, declared, signal);
    },
    async dataFile(reference) {
      if (dataFile === undefined && unlisted === "stand in") return STAND_IN_FILE;
      if (dataFile === undefined) throw notListed(reference, "--data-file");
      const location = dataFile;
      dataFile = undefined;
      return openDataFile(location);
    },
    unused: () => backing[0] ?? dataFile,
  };
  return gate;
}

/** Of a data file that is only looked at nobody knows the size: no offset in it is held to be behind its end. */
const STAND_IN_FILE: Source = {
  ...memorySource(new Uint8Array(0), "nothing"),
  size: Number.MAX_SAFE_INTEGER,
};

/** A backing file or parent that is only looked at is an empty disk without a file. */
async function standInImage(signal: AbortSignal): Promise<Image> {
  const source = memorySource(new Uint8Array(0), "nothing");
  const empty = await raw.reader.open({ source, gate: CLOSED_GATE, allowAmplification: false }, signal);
  return { ...empty, sources: [] };
}

/** Opens nothing. */
export const CLOSED_GATE: ReferenceGate = {
  backing: async (reference) => {
    throw notListed(reference, "--backing");
  },
  dataFile: async (reference) => {
    throw notListed(reference, "--data-file");
  },
};

/** The format that an image states for its backing file, under its name here. */
function namedByImage(reference: Reference) {
  const name = reference.format === "vpc" ? "vhd" : (reference.format ?? "raw");
  return formatByUserName(name);
}

function notListed({ from, role, name }: Reference, option: string): Fault {
  return new Fault(
    "REFERENCE_NOT_LISTED",
    `${from}: names the ${role} ${JSON.stringify(name)}, which is opened only when the request lists it: add ${option} PATH`,
    { details: { role, reference: name } },
  );
}
