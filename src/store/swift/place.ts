/** Where the pieces of one upload lie: under `<object>/<upload id>/` in the container of the segments. */
import type { CopyPart } from "../store.ts";
import type { SwiftClient } from "./client.ts";
import type { SwiftInfo } from "./info.ts";
import { type SwiftLocation, swiftName } from "./location.ts";

export interface UploadPlace {
  readonly client: SwiftClient;
  readonly info: SwiftInfo;
  readonly location: SwiftLocation;
  /** Container of the segments. */
  readonly segments: string;
  readonly id: string;
  /** Objects of zeros that stand in the store and can be copied, by their bytes. */
  readonly zeros: ReadonlyMap<number, CopyPart["from"]>;
}

/** Metadata of a finished object: the upload that made it. */
export const UPLOAD_META = "x-object-meta-diskferry-upload";

const UPLOAD_ID = /^diskferry-[0-9a-f]{32}$/;

/** Bytes that the longest name of a piece has more than the object's own. */
export const NAME_OVERHEAD = 80;

/** `random`: a fresh UUID. */
export function newUploadId(random: string): string {
  return `diskferry-${random.replaceAll("-", "")}`;
}

export function isUploadId(text: string | undefined): text is string {
  return text !== undefined && UPLOAD_ID.test(text);
}

/** What all pieces of an upload have at the beginning of their names, and nothing else has. */
export function uploadPrefix(object: string, id: string): string {
  return `${object}/${id}/`;
}

export function segmentName(place: UploadPlace, number: number): string {
  return `${uploadPrefix(place.location.object, place.id)}${String(number).padStart(8, "0")}`;
}

/** The part number of a segment's name, or undefined for every other piece. */
export function segmentNumber(place: UploadPlace, name: string): number | undefined {
  const rest = name.slice(uploadPrefix(place.location.object, place.id).length);
  return /^\d{8,15}$/.test(rest) ? Number(rest) : undefined;
}

export function zeroName(place: UploadPlace, length: number): string {
  return `${uploadPrefix(place.location.object, place.id)}zero/${length}`;
}

/** Whether an object of zeros of some upload may have this name. */
export function isZeroName(name: string): boolean {
  return /\/diskferry-[0-9a-f]{32}\/zero\/\d+$/.test(name);
}

export function manifestName(place: UploadPlace, n: number): string {
  return `${uploadPrefix(place.location.object, place.id)}manifest/${String(n).padStart(8, "0")}`;
}

/** For messages. */
export function placeName(place: UploadPlace): string {
  return swiftName(place.location);
}
