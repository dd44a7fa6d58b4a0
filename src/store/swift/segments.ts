/** The segments that a static large object is made of, as its manifest names them. */
import { z } from "zod";
import { MiB } from "../../bytes/units.ts";
import type { StoredPart } from "../../source/source.ts";
import type { SwiftClient } from "./client.ts";
import { type SwiftLocation, swiftName, swiftPath } from "./location.ts";
import { entryLength, type ManifestEntry, manifestEtag } from "./manifest.ts";
import { isZeroName } from "./place.ts";
import { zeroMd5 } from "./zero-object.ts";

/** What a manifest refers to: an object, or the part of it that `skip` and the length name. */
export interface Segment extends StoredPart {
  readonly at: SwiftLocation;
  /** Bytes of the object before the part. */
  readonly skip: number;
  /** Bytes of the whole object. */
  readonly size: number;
  /** MD5 of the whole object. */
  readonly etag: string;
}

/** Of an object that is read segment by segment: more than any of ours has, and few enough to keep in memory. */
const MAX_SEGMENTS = 100_000;
/** Manifests may nest this deep ("Static Large Objects", Object Storage API). */
const MAX_DEPTH = 10;
const MAX_MANIFESTS = 1000;
/** Zeros are known by their MD5, which has to be computed for each length that is looked for. */
const MAX_ZERO_BYTES = 64 * MiB;
const MAX_ZERO_LENGTHS = 16;

const Listed = z.array(
  z.object({
    name: z.string().startsWith("/"),
    hash: z.string().regex(/^[0-9a-f]{32}$/),
    bytes: z.int().nonnegative(),
    range: z
      .string()
      .regex(/^\d{1,15}-\d{1,15}$/)
      .optional(),
    sub_slo: z.boolean().optional(),
  }),
);

type Listed = z.infer<typeof Listed>;

/**
 * The segments of the object in order, nested manifests resolved, tiling it.
 * @param etag of the object, which its manifests are held against; without quotes.
 * @returns undefined when it is no static large object any more, or one that cannot be told apart into segments: with
 * bytes inside the manifest, with part of a nested manifest, or where the server does not give manifests out.
 * @throws Fault as `SwiftClient.ask`, but not when the server refuses.
 */
export async function segmentsOf(
  client: SwiftClient,
  location: SwiftLocation,
  { size, etag }: { readonly size: number; readonly etag: string },
  signal: AbortSignal,
): Promise<readonly Segment[] | undefined> {
  const manifests = new Map<string, Promise<Listed | undefined>>();
  const zeros = new ZeroMd5s();
  const segments: Segment[] = [];
  let offset = 0;

  const read = (at: SwiftLocation, expected: string): Promise<Listed | undefined> => {
    const key = `${expected} ${at.container}/${at.object}`;
    const known = manifests.get(key);
    if (known !== undefined || manifests.size >= MAX_MANIFESTS) return known ?? Promise.resolve(undefined);
    const reading = readManifest(client, at, expected, signal);
    manifests.set(key, reading);
    return reading;
  };
  /** Whether all of it could be resolved. */
  const resolve = async (at: SwiftLocation, expected: string, depth: number): Promise<boolean> => {
    const entries = depth > MAX_DEPTH ? undefined : await read(at, expected);
    if (entries === undefined) return false;
    for (const { name, hash, bytes, range, sub_slo: nested } of entries) {
      const at = locationOf(name);
      if (segments.length === MAX_SEGMENTS || at === undefined) return false;
      if (nested) {
        if (range !== undefined || !(await resolve(at, hash, depth + 1))) return false;
        continue;
      }
      const entry: ManifestEntry = { path: name, etag: hash, size_bytes: bytes };
      const length = entryLength(range === undefined ? entry : { ...entry, range });
      const skip = range === undefined ? 0 : Number.parseInt(range, 10);
      if (length <= 0 || skip + length > bytes) return false;
      const zero = isZeroName(at.object) && (await zeros.are(bytes, hash));
      segments.push({ offset, length, at, skip, size: bytes, etag: hash, ...(zero ? { zero } : {}) });
      offset += length;
    }
    return true;
  };
  return (await resolve(location, etag, 1)) && offset === size ? segments : undefined;
}

/** Undefined when the server gives out no manifest whose entries make this ETag. */
async function readManifest(
  client: SwiftClient,
  location: SwiftLocation,
  etag: string,
  signal: AbortSignal,
): Promise<Listed | undefined> {
  const { container, object } = location;
  const reply = await client.ask(
    {
      method: "GET",
      path: `${swiftPath(container, object)}?multipart-manifest=get`,
      // Of an object that is no manifest the server gives the content: no more of it than a manifest has.
      headers: { range: `bytes=0-${MAX_MANIFEST_BYTES - 1}` },
      what: `${swiftName(location)}: reading its manifest`,
      answers: [200, 206, 400, 403, 404, 416],
    },
    signal,
  );
  if (reply.status !== 200 && reply.status !== 206) return undefined;
  const entries = parse(reply.body);
  if (entries === undefined) return undefined;
  const made = manifestEtag(
    entries.map(({ name, hash, bytes, range }) => ({
      path: name,
      etag: hash,
      size_bytes: bytes,
      ...(range === undefined ? {} : { range }),
    })),
  );
  return made === etag ? entries : undefined;
}

/** As the server writes it out; it is longer than the one that was put. */
const MAX_MANIFEST_BYTES = 32 * MiB;

function parse(body: string): Listed | undefined {
  try {
    return Listed.safeParse(JSON.parse(body)).data;
  } catch {
    return undefined;
  }
}

/** `/container/object` taken apart. */
function locationOf(name: string): SwiftLocation | undefined {
  const slash = name.indexOf("/", 1);
  if (slash <= 1 || slash === name.length - 1) return undefined;
  return { container: name.slice(1, slash), object: name.slice(slash + 1) };
}

class ZeroMd5s {
  readonly #known = new Map<number, string>();

  /** Whether so many zeros have this MD5. False, too, for more lengths, and longer ones, than we make. */
  async are(length: number, md5: string): Promise<boolean> {
    let known = this.#known.get(length);
    if (known === undefined) {
      if (length > MAX_ZERO_BYTES || this.#known.size === MAX_ZERO_LENGTHS) return false;
      known = zeroMd5(length);
      this.#known.set(length, known);
      // Up to a tenth of a second has passed.
      await new Promise(setImmediate);
    }
    return known === md5;
  }
}
