/** In which parts a Swift can copy an object by itself. */
import { Fault } from "../../fault/fault.ts";
import type { Source } from "../../source/source.ts";
import type { CopyPart } from "../store.ts";
import type { SwiftClient } from "./client.ts";
import { type SwiftLocation, swiftName } from "./location.ts";
import { type Pin, pinObject } from "./pin.ts";
import { type Segment, segmentsOf } from "./segments.ts";

export interface CopyLimits {
  readonly maxPart: number;
  readonly maxParts: number;
}

/**
 * The parts of a copy: the segments of a static large object, or a plain object as one.
 * @returns undefined when the source lies elsewhere, when this account may not read it, or when it is not in such pieces.
 */
export async function swiftCopyParts(
  client: SwiftClient,
  { stored, version, size }: Source,
  { maxPart, maxParts }: CopyLimits,
  signal: AbortSignal,
): Promise<readonly CopyPart[] | undefined> {
  if (stored?.store !== "swift" || size === 0) return undefined;
  const account = accountIn((await client.grant(signal)).storageUrl, stored.url);
  if (account === undefined) return undefined;
  const there = account === "own" ? client : client.at(stored.url);
  const segments = await readable(there, stored, version, signal);
  if (segments === undefined || segments.length > maxParts) return undefined;
  // Of part of an object nobody knows the checksum beforehand.
  const whole = segments.every((one) => one.zero || (one.length === one.size && one.length <= maxPart));
  if (!whole) return undefined;
  return segments.map(({ offset, length, at, size, etag, zero }) => ({
    offset,
    length,
    from: { ...(account === "own" ? {} : { account: account.name }), ...at, offset: 0, size, etag },
    ...(zero ? { zero } : { etag }),
  }));
}

/** Asked with the destination's credentials, which are those that copy. */
async function readable(
  client: SwiftClient,
  location: SwiftLocation,
  version: string,
  signal: AbortSignal,
): Promise<readonly Segment[] | undefined> {
  let pin: Pin | undefined;
  try {
    pin = await pinObject(client, location, signal);
  } catch (error) {
    const { code } = Fault.from(error, swiftName(location));
    // A 401 is what some servers say to one whose token is good, but not for this account.
    if (code === "PERMISSION" || code === "UNSUPPORTED_FEATURE" || code === "CREDENTIALS_EXPIRED")
      return undefined;
    throw error;
  }
  // One name can be two objects: Ceph tells accounts apart by their tokens alone.
  if (pin?.version !== version || pin.md5 === undefined) return undefined;
  const { size, md5, kind } = pin;
  switch (kind) {
    case "plain":
      return [{ offset: 0, length: size, at: location, skip: 0, size, etag: md5 }];
    case "static large":
      return segmentsOf(client, location, { size, etag: md5 }, signal);
    case "other":
      return undefined;
  }
}

/** The account of one storage URL as another of the same cluster names it: `own`, or undefined for another cluster. */
function accountIn(here: string, there: string): "own" | { readonly name: string } | undefined {
  if (here === there) return "own";
  const split = /^(https?:\/\/[^/]+(?:\/[^/]+)*\/v1)\/([^/]+)$/;
  const [mine, theirs] = [split.exec(here), split.exec(there)];
  const name = theirs?.[2];
  return mine?.[1] !== undefined && mine[1] === theirs?.[1] && name !== undefined ? { name } : undefined;
}
