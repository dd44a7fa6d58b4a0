/** Completing an upload: zeros, manifests, the object itself, and the proof that it is there. */
import pLimit from "p-limit";
import { Fault } from "../../fault/fault.ts";
import { DEFAULT_RETRY, withRetry } from "../../flow/retry.ts";
import { alreadyExists } from "../already-exists.ts";
import type { Landed, PartReceipt, UploadIntent } from "../store.ts";
import { removePrefix } from "./clean.ts";
import { parseOutcome, type SwiftReply } from "./client.ts";
import { oneLine, swiftFault } from "./error.ts";
import { swiftPath } from "./location.ts";
import { type ManifestEntry, type ManifestPlan, planManifest } from "./manifest.ts";
import {
  isUploadId,
  manifestName,
  placeName,
  segmentName,
  UPLOAD_META,
  type UploadPlace,
  uploadPrefix,
  zeroName,
} from "./place.ts";
import { landZeros, zeroMd5 } from "./zero-object.ts";
import { planZeros } from "./zeros.ts";

const MANIFESTS_AT_ONCE = 4;
const EMPTY_MD5 = "d41d8cd98f00b204e9800998ecf8427e";

type Headers = Readonly<Record<string, string>>;

/** See `Upload.complete`. `onZeros` is told what was sent of each object of zeros. */
export async function publish(
  place: UploadPlace,
  parts: readonly PartReceipt[],
  existing: UploadIntent["existing"],
  onZeros: (sent: number) => void,
  signal: AbortSignal,
): Promise<Landed> {
  const { entries, zeros } = entriesOf(place, parts);
  const plan = planManifest(entries, place.info, (n) => `/${place.segments}/${manifestName(place, n)}`);
  const before = await lookUp(place, "looking for it", signal);
  if (before?.[UPLOAD_META] !== place.id) {
    if (before !== undefined && existing === "refuse") throw alreadyExists(placeName(place));
    for (const { size_bytes: length, etag } of zeros) {
      onZeros(await landZeros(place, length, etag, signal));
    }
    await putSubManifests(place, plan, signal);
    await putObject(place, plan, existing, signal);
  }
  const landed = await verify(place, plan, signal);
  await forgetPredecessor(place, before?.[UPLOAD_META], signal);
  return landed;
}

/** What the object must have for its ETag. */
function expectedEtag(plan: ManifestPlan): string {
  return plan.top.length === 0 ? EMPTY_MD5 : plan.etag;
}

/** `zeros`: the objects of zeros that the entries refer to. */
function entriesOf(
  place: UploadPlace,
  parts: readonly PartReceipt[],
): { readonly entries: readonly ManifestEntry[]; readonly zeros: readonly ManifestEntry[] } {
  // Neighbouring runs become one, so that fewer entries name the object of zeros.
  const items: (PartReceipt | number)[] = [];
  for (const part of parts) {
    if (part.length === 0) continue;
    const last = items.at(-1);
    if (part.zero !== true) items.push(part);
    else if (typeof last === "number") items[items.length - 1] = last + part.length;
    else items.push(part.length);
  }
  const total = parts.reduce((sum, part) => sum + part.length, 0);
  const plan = planZeros(
    items.filter((item) => typeof item === "number"),
    total,
    {
      ...place.info,
      maxPieces: place.info.nesting ? Number.POSITIVE_INFINITY : place.info.maxEntries - countData(items),
    },
  );
  const zeros = new Map(
    plan.objects.map((size_bytes): [number, ManifestEntry] => [
      size_bytes,
      {
        path: `/${place.segments}/${zeroName(place, size_bytes)}`,
        etag: zeroMd5(size_bytes),
        size_bytes,
      },
    ]),
  );
  const entries: ManifestEntry[] = [];
  let run = 0;
  for (const item of items) {
    if (typeof item !== "number") {
      entries.push({
        path: `/${place.segments}/${segmentName(place, item.number)}`,
        etag: item.etag,
        size_bytes: item.length,
      });
      continue;
    }
    for (const { size, length } of plan.pieces[run] ?? []) {
      const whole = zeros.get(size);
      if (whole === undefined) throw new Fault("INTERNAL", `${placeName(place)}: no zeros of ${size} bytes`);
      entries.push(length === size ? whole : { ...whole, range: `0-${length - 1}` });
    }
    run += 1;
  }
  return { entries, zeros: [...zeros.values()] };
}

function countData(items: readonly (PartReceipt | number)[]): number {
  return items.filter((item) => typeof item !== "number").length;
}

async function putSubManifests(place: UploadPlace, plan: ManifestPlan, signal: AbortSignal): Promise<void> {
  const container = `/${place.segments}/`;
  const what = `${placeName(place)}: making a part of its manifest`;
  // Each level refers to the one before it: a level begins when the last is done.
  for (let from = 0; from < plan.subs.length; ) {
    const made = new Set(plan.subs.slice(0, from).map((sub) => sub.path));
    const planned = new Set(plan.subs.map((sub) => sub.path));
    const blocked = plan.subs.findIndex(
      (sub, n) => n >= from && sub.entries.some((entry) => planned.has(entry.path) && !made.has(entry.path)),
    );
    const to = blocked === -1 ? plan.subs.length : blocked;
    const limit = pLimit(MANIFESTS_AT_ONCE);
    await Promise.all(
      plan.subs.slice(from, to).map((sub) =>
        limit(() =>
          withRetry(
            what,
            DEFAULT_RETRY,
            async () => {
              const path = swiftPath(place.segments, sub.path.slice(container.length));
              const reply = await place.client.putManifest(
                path,
                place.info.manifestEtags ? { etag: sub.etag } : {},
                JSON.stringify(sub.entries),
                what,
                signal,
              );
              const { status, refuse } = outcomeOf(place, reply, what);
              if (status !== 200 && status !== 201) refuse();
            },
            signal,
          ),
        ),
      ),
    );
    from = to;
  }
}

async function putObject(
  place: UploadPlace,
  plan: ManifestPlan,
  existing: UploadIntent["existing"],
  signal: AbortSignal,
): Promise<void> {
  const what = `${placeName(place)}: making the object`;
  const headers = {
    "content-type": "application/octet-stream",
    ...(place.info.manifestEtags ? { etag: expectedEtag(plan) } : {}),
    [UPLOAD_META]: place.id,
    // No lock between two uploads that end at once, but never over an object that was there before.
    ...(existing === "refuse" ? { "if-none-match": "*" } : {}),
  };
  await withRetry(
    what,
    DEFAULT_RETRY,
    async (attempt) => {
      // The reply to an earlier attempt may have been lost on its way, with the object made.
      if (attempt.number > 1 && (await isOurs(place, signal))) return;
      const path = swiftPath(place.location.container, place.location.object);
      if (plan.top.length === 0) {
        const reply = await place.client.ask(
          {
            method: "PUT",
            path,
            headers: { ...headers, "content-length": "0" },
            what,
            answers: [200, 201, 412],
          },
          signal,
        );
        if (reply.status === 412 && !(await isOurs(place, signal))) throw alreadyExists(placeName(place));
        return;
      }
      const reply = await place.client.putManifest(path, headers, JSON.stringify(plan.top), what, signal);
      const { status, refuse } = outcomeOf(place, reply, what);
      if (status === 200 || status === 201) return;
      if (status !== 412) refuse();
      if (!(await isOurs(place, signal))) throw alreadyExists(placeName(place));
    },
    signal,
  );
}

/** The status that counts of a manifest's reply, and how to throw for it. */
function outcomeOf(
  place: UploadPlace,
  reply: SwiftReply,
  what: string,
): { readonly status: number; refuse(): never } {
  const outcome = parseOutcome(reply.body);
  let status = reply.status;
  if (status === 202) {
    if (outcome === undefined || outcome.status === "") {
      throw new Fault("NETWORK", `${what}: the reply ended before the outcome`);
    }
    status = Number.parseInt(outcome.status, 10);
  }
  return {
    status,
    refuse() {
      const errors = outcome?.errors ?? [];
      if (status === 400 && errors.length > 0) throw segmentFault(place, errors, what);
      if (status === 413) {
        throw new Fault(
          "LIMIT_EXCEEDED",
          `${what}: the store takes no manifest so large: ${oneLine(reply.body)}`,
        );
      }
      if (status === 422) {
        throw new Fault("VERIFY_FAILED", `${what}: the store computes another ETag from the segments`);
      }
      throw swiftFault(status, reply.headers, outcome?.body ?? reply.body, what);
    },
  };
}

function segmentFault(
  place: UploadPlace,
  errors: readonly (readonly [string, string])[],
  what: string,
): Fault {
  const shown = errors
    .slice(0, 3)
    .map(([name, reason]) => `${name}: ${reason}`)
    .join("; ");
  const more = errors.length > 3 ? ` and ${errors.length - 3} more` : "";
  // A segment may not be seen yet by every server; one with other content never becomes right.
  const late = errors.every(([, reason]) => /^(404|5\d\d)/.test(reason));
  return new Fault(
    late ? "STORE_UNAVAILABLE" : "VERIFY_FAILED",
    `${what}: the store does not hold in ${place.segments} what it acknowledged: ${shown}${more}: start again`,
  );
}

async function lookUp(place: UploadPlace, doing: string, signal: AbortSignal): Promise<Headers | undefined> {
  const { container, object } = place.location;
  return await place.client.head(container, object, `${placeName(place)}: ${doing}`, signal);
}

/** Whether the object in place is the one that this upload made. */
export async function isOurs(place: UploadPlace, signal: AbortSignal): Promise<boolean> {
  return (await lookUp(place, "looking for it", signal))?.[UPLOAD_META] === place.id;
}

async function verify(place: UploadPlace, plan: ManifestPlan, signal: AbortSignal): Promise<Landed> {
  const name = placeName(place);
  return await withRetry(
    name,
    DEFAULT_RETRY,
    async () => {
      const headers = await lookUp(place, "checking it", signal);
      if (headers?.[UPLOAD_META] !== place.id) {
        throw new Fault(
          "STORE_UNAVAILABLE",
          `${name}: was made, but the store shows ${headers === undefined ? "nothing" : "another object"} in its place`,
        );
      }
      const size = Number(headers["content-length"]);
      const etag = (headers["etag"] ?? "").replaceAll('"', "");
      if (size !== plan.size || etag !== expectedEtag(plan)) {
        throw new Fault(
          "VERIFY_FAILED",
          `${name}: the store has ${size} bytes with ETag ${etag}, but ${plan.size} with ${expectedEtag(plan)} were ` +
            "sent: do not use it, start again",
        );
      }
      return { name, size, etag, confirmed: {} };
    },
    signal,
  );
}

/**
 * Removes the segments of the object that was replaced: only those of an upload of ours to this same name, which the
 * new manifest, whose segments have a prefix of their own, cannot name.
 */
export async function forgetPredecessor(
  place: UploadPlace,
  id: string | undefined,
  signal: AbortSignal,
): Promise<void> {
  if (!isUploadId(id) || id === place.id) return;
  const { object } = place.location;
  const what = `${placeName(place)}: removing the segments of the object it replaced`;
  try {
    await removePrefix(place.client, place.info, place.segments, uploadPrefix(object, id), what, signal);
  } catch {
    // The object is in place, which is what was asked for. What is left is listed as an upload without an object.
  }
}
