/** The objects of zeros that the manifests of an upload refer to. */
import { createHash } from "node:crypto";
import { MiB } from "../../bytes/units.ts";
import { Fault } from "../../fault/fault.ts";
import { LONG_DEADLINE_MS } from "./client.ts";
import { copyObject } from "./copy-object.ts";
import { swiftPath } from "./location.ts";
import { placeName, type UploadPlace, zeroName } from "./place.ts";

const ZEROS = new Uint8Array(MiB);

function* zeroChunks(length: number): Generator<Uint8Array> {
  for (let left = length; left > 0; left -= MiB) yield left >= MiB ? ZEROS : ZEROS.subarray(0, left);
}

export function zeroMd5(length: number): string {
  const hash = createHash("md5");
  for (const chunk of zeroChunks(length)) hash.update(chunk);
  return hash.digest("hex");
}

/** Lands an object of zeros; returns how many bytes had to be sent: none where the store has such zeros to copy. */
export async function landZeros(
  place: UploadPlace,
  length: number,
  etag: string,
  signal: AbortSignal,
): Promise<number> {
  if (await copyZeros(place, length, etag, signal)) return 0;
  await place.client.ask(
    {
      method: "PUT",
      path: swiftPath(place.segments, zeroName(place, length)),
      headers: {
        "content-length": String(length),
        "content-type": "application/octet-stream",
        etag,
      },
      body: async function* () {
        yield* zeroChunks(length);
      },
      what: `${placeName(place)}: putting its zeros`,
      answers: [200, 201],
      deadlineMs: LONG_DEADLINE_MS,
    },
    signal,
  );
  return length;
}

/** Whether the store had such zeros, and has copied them. */
async function copyZeros(
  place: UploadPlace,
  length: number,
  etag: string,
  signal: AbortSignal,
): Promise<boolean> {
  const from = place.zeros.get(length);
  if (from?.etag !== etag) return false;
  const to = { container: place.segments, object: zeroName(place, length) };
  try {
    await copyObject(place.client, from, to, `${placeName(place)}: copying its zeros`, signal);
    return true;
  } catch (error) {
    if (signal.aborted || Fault.from(error, placeName(place)).retryable) throw error;
    return false;
  }
}
