/** The end of a transfer: head and tail are computed and landed, and the store publishes the object. */

import { encryptedChunks } from "../cipher/content-cipher.ts";
import type { ChecksumName, Checksums } from "../digest/checksum.ts";
import { createPartDigest } from "../digest/part-digest.ts";
import { Fault } from "../fault/fault.ts";
import type { Layout, PackedLayout, StoredSegment } from "../format/format.ts";
import type { Landed, PartReceipt, PutTargetFile, PutTargetHttp } from "../store/store.ts";
import { wholeChecksums } from "./checksums.ts";
import { FileSink } from "./file-sink.ts";
import { persist } from "./persist.ts";
import type { Run } from "./run.ts";
import { sendHttp } from "./send.ts";

/** Part number of the head; segments follow from 2. */
const HEAD = 1;

/** Lands head and tail, and publishes. The journal knows beforehand, since a crash may hide that it happened. */
export async function seal(
  run: Run,
  layout: Layout,
  guestDigest: string | undefined,
  signal: AbortSignal,
): Promise<{ readonly landed: Landed; readonly checksums: Checksums }> {
  const parts = layout.shape === "flat" ? segmentParts(run) : await sealPacked(run, layout, signal);
  const checksums = wholeChecksums(parts, run.request.destination.limits.checksums);
  await run.ports.mayCommit?.();
  await run.ports.journal.seal({ ...(guestDigest === undefined ? {} : { guestDigest }), checksums });
  const landed = await run.upload.complete(parts, checksums, signal);
  return { landed, checksums };
}

/** The parts that hold bytes, in output order. */
function segmentParts(run: Run): PartReceipt[] {
  const parts: PartReceipt[] = [];
  for (const slot of run.plan.slots) {
    const receipt = run.receipts.get(slot.number);
    if (receipt === undefined) throw new Fault("INTERNAL", `part ${slot.number} has no receipt at the end`);
    const { number, length, etag, checksums, zero, offset } = receipt;
    if (length === 0 || (slot.number === run.plan.heldSlot && run.held !== undefined)) continue;
    parts.push({
      number,
      length,
      etag,
      checksums,
      ...(zero === undefined ? {} : { zero }),
      ...(offset === undefined ? {} : { offset }),
    });
  }
  return parts;
}

/** Puts head and tail around the segments. */
async function sealPacked(run: Run, layout: PackedLayout, signal: AbortSignal): Promise<PartReceipt[]> {
  const { plan } = run;
  const segments = segmentParts(run);
  const held = run.held?.bytes ?? new Uint8Array(0);
  const dataEnd = segments.reduce((end, part) => end + part.length, plan.headLength + held.length);
  const sealed = layout.seal({
    headLength: plan.headLength,
    dataEnd,
    segments: () => storedSegments(run, layout),
  });
  const tail = await gather(sealed.tail());
  if (segments.length === 0) {
    // All there is fits into one part: nothing has to be large enough for others to follow.
    const body = async function* (): AsyncGenerator<Uint8Array> {
      yield* sealed.head();
      yield held;
      yield tail;
    };
    return [await put(run, HEAD, 0, dataEnd + tail.length, body, signal)];
  }
  const head = async function* (): AsyncGenerator<Uint8Array> {
    yield* sealed.head();
    yield held;
  };
  const headLength = plan.headLength + held.length;
  const parts =
    headLength === 0 ? segments : [await put(run, HEAD, 0, headLength, head, signal), ...segments];
  if (tail.length > 0) {
    const number = (parts.at(-1)?.number ?? HEAD) + 1;
    parts.push(
      await put(
        run,
        number,
        dataEnd,
        tail.length,
        async function* () {
          yield tail;
        },
        signal,
      ),
    );
  }
  return parts;
}

async function* storedSegments(run: Run, layout: PackedLayout): AsyncGenerator<StoredSegment> {
  const { plan, receipts, ports } = run;
  let offset = plan.headLength;
  for (const slot of plan.slots) {
    const receipt = receipts.get(slot.number);
    if (receipt === undefined || receipt.length === 0) continue;
    const held = slot.number === plan.heldSlot ? run.held : undefined;
    const table = held?.table ?? (await ports.journal.table(slot.number));
    yield { firstUnit: slot.range.offset / layout.unit, offset, length: receipt.length, ...table };
    offset += receipt.length;
  }
}

/** Sends a part from this thread: head and tail are small beside the segments, and known only here. */
async function put(
  run: Run,
  number: number,
  offset: number,
  length: number,
  plain: () => AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): Promise<PartReceipt> {
  const { upload, shared, request } = run;
  const { name, limits, cipher } = request.destination;
  const body = cipher === undefined ? plain : () => encryptedChunks(plain(), cipher, offset);
  const claimed = await claim(run, number, offset, length, body);
  if (claimed !== undefined) return claimed;
  return persist(
    { name, upload, sources: [], onRetry: run.ports.onRetry },
    async () => {
      const target = await upload.target({ number, length }, signal);
      const digest = createPartDigest(limits.checksums);
      async function* bytes(): AsyncGenerator<Uint8Array> {
        for await (const chunk of body()) {
          await digest.update(chunk);
          shared.count("encoded", chunk.length);
          await shared.throttle(chunk.length);
          yield chunk;
          if (target.kind !== "discard") shared.count("sent", chunk.length);
        }
      }
      let sums: Checksums | undefined;
      const checksums = (): Checksums => {
        sums ??= digest.finish();
        return sums;
      };
      const etag = await putTo(target, bytes(), offset, length, checksums, signal);
      return { number, length, etag, checksums: checksums(), offset };
    },
    signal,
  );
}

/** A run that was killed while it sealed has landed this part already: accepted when it is what we would send. */
async function claim(
  run: Run,
  number: number,
  offset: number,
  length: number,
  body: () => AsyncIterable<Uint8Array>,
): Promise<PartReceipt | undefined> {
  const part = run.unclaimed.get(number);
  if (part?.length !== length) return undefined;
  const digest = createPartDigest([
    ...new Set<ChecksumName>(["md5", ...run.request.destination.limits.checksums]),
  ]);
  for await (const chunk of body()) await digest.update(chunk);
  const checksums = digest.finish();
  if (checksums.md5 !== part.etag.toLowerCase()) return undefined;
  return { number, length, etag: part.etag, checksums, offset };
}

async function putTo(
  target: PutTargetHttp | PutTargetFile | { readonly kind: "discard" },
  bytes: AsyncIterable<Uint8Array>,
  offset: number,
  length: number,
  checksums: () => Checksums,
  signal: AbortSignal,
): Promise<string> {
  switch (target.kind) {
    case "http":
      return sendHttp(target, length, bytes, checksums, signal);
    case "file": {
      await using sink = await FileSink.open(target);
      let position = offset;
      for await (const chunk of bytes) {
        await sink.write(chunk, position);
        position += chunk.length;
      }
      return "";
    }
    case "discard":
      for await (const chunk of bytes) void chunk;
      return "";
  }
}

async function gather(chunks: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const all: Uint8Array[] = [];
  for await (const chunk of chunks) all.push(chunk);
  return Buffer.concat(all);
}
