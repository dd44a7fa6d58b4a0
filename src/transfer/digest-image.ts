/** Reads images through the workers without landing them: for digests and comparisons. */
import pLimit from "p-limit";
import { endOf, type Range } from "../bytes/range.ts";
import { MiB } from "../bytes/units.ts";
import { combineGuest, guestFromHex } from "../digest/guest-digest.ts";
import { Fault } from "../fault/fault.ts";
import { eachOf } from "../flow/each-of.ts";
import type { Image } from "../format/format.ts";
import type { Producer, SegmentJob } from "./job.ts";
import { GuestReader } from "./read-guest.ts";
import { Shared } from "./shared.ts";

/** Guest bytes of one job; a multiple of every unit. */
const STEP = 64 * MiB;
/** Guest bytes decoded at a time. */
const CHUNK = 2 * MiB;

export interface ReadPorts {
  readonly producer: Producer;
  /** Told of guest bytes read so far, and in all. */
  readonly onProgress: (sample: () => { readonly read: number; readonly total: number }) => void;
}

/** The guest digest of an image. */
export async function digestImage(image: Image, ports: ReadPorts, signal: AbortSignal): Promise<bigint> {
  let sum = 0n;
  for await (const part of digestSteps(image, ports, signal)) sum = combineGuest(sum, part.digest);
  return sum;
}

/** The guest digest of the first image, and the first guest offset at which the second differs from it. */
export interface Comparison {
  readonly digest: bigint;
  readonly difference: number | undefined;
}

/** Compares two disks. Where one ends, zeros are taken to follow. */
export async function compareImages(
  a: Image,
  b: Image,
  ports: ReadPorts,
  signal: AbortSignal,
): Promise<Comparison> {
  let digest = 0n;
  const unmatched = new Map<number, bigint>();
  for await (const step of digestSteps(a, ports, signal)) {
    digest = combineGuest(digest, step.digest);
    if (step.digest !== 0n) unmatched.set(step.offset, step.digest);
  }
  const differing: number[] = [];
  for await (const step of digestSteps(b, ports, signal)) {
    if ((unmatched.get(step.offset) ?? 0n) !== step.digest) differing.push(step.offset);
    unmatched.delete(step.offset);
  }
  differing.push(...unmatched.keys());
  if (differing.length === 0) return { digest, difference: undefined };
  const first = differing.reduce((least, offset) => Math.min(least, offset));
  return { digest, difference: await differenceIn(a, b, first, signal) };
}

/** Digests of the steps of an image that may hold data, in any order; steps not given are all zero. */
async function* digestSteps(
  image: Image,
  ports: ReadPorts,
  signal: AbortSignal,
): AsyncGenerator<{ readonly offset: number; readonly digest: bigint }> {
  const shared = Shared.create(0);
  const steps = await stepsWithData(image, signal);
  const total = steps.reduce((sum, step) => sum + step.length, 0);
  ports.onProgress(() => ({ read: shared.counted("read"), total }));
  const chained = image.order === "sequential";
  const found: { offset: number; digest: bigint }[] = [];
  let window: Uint8Array | undefined;
  const stop = (): void => shared.stop();
  signal.addEventListener("abort", stop, { once: true });
  try {
    await eachOf(
      steps,
      pLimit(chained ? 1 : ports.producer.lanes),
      async (range) => {
        const receipt = await ports.producer.produce(await job(image, range, window, shared, signal), signal);
        window = receipt.window;
        if (receipt.guest === undefined) throw new Fault("INTERNAL", "a digest job has decoded nothing");
        found.push({ offset: range.offset, digest: guestFromHex(receipt.guest) });
      },
      signal,
    );
  } finally {
    shared.stop();
    signal.removeEventListener("abort", stop);
  }
  yield* found;
}

async function stepsWithData(image: Image, signal: AbortSignal): Promise<Range[]> {
  const steps: Range[] = [];
  let end = 0;
  for await (const extent of image.extents({ offset: 0, length: image.virtualSize }, signal)) {
    if (extent.kind === "zero") continue;
    const from = Math.max(end, extent.offset - (extent.offset % STEP));
    for (let offset = from; offset < endOf(extent); offset += STEP) {
      const length = Math.min(STEP, image.virtualSize - offset);
      steps.push({ offset, length });
      end = offset + length;
    }
  }
  return steps;
}

async function job(
  image: Image,
  range: Range,
  window: Uint8Array | undefined,
  shared: Shared,
  signal: AbortSignal,
): Promise<SegmentJob> {
  return {
    number: range.offset / STEP + 1,
    range,
    pieces: await image.pieces(range, signal),
    sources: await Promise.all(image.sources.map((source) => source.recipe(signal))),
    chunk: Math.max(CHUNK, image.codedUnit ?? 0),
    ...(window === undefined ? {} : { window }),
    shape: { kind: "flat", tail: new Uint8Array(0), zeros: "send" },
    target: { kind: "discard", name: "digest" },
    checksums: [],
    shared: shared.memory,
  };
}

/** Compares byte by byte from `start`, in this thread: at most one step differs before the answer is found. */
async function differenceIn(
  a: Image,
  b: Image,
  start: number,
  signal: AbortSignal,
): Promise<number | undefined> {
  const left = new Uint8Array(CHUNK);
  const right = new Uint8Array(CHUNK);
  const readers = await Promise.all([stepReader(a, start, signal), stepReader(b, start, signal)]);
  for (let offset = start; offset < start + STEP; offset += CHUNK) {
    await readers[0](left);
    await readers[1](right);
    if (Buffer.compare(left, right) === 0) continue;
    return offset + left.findIndex((byte, index) => byte !== right[index]);
  }
  return undefined;
}

async function stepReader(
  image: Image,
  start: number,
  signal: AbortSignal,
): Promise<(into: Uint8Array) => Promise<void>> {
  // A chained stream can only be read from its start.
  const from = image.order === "sequential" ? 0 : start;
  const length = Math.max(0, Math.min(start + STEP, image.virtualSize) - from);
  const reader = new GuestReader(
    await image.pieces({ offset: from, length }, signal),
    image.sources,
    undefined,
  );
  let left = length;
  const read = async (into: Uint8Array): Promise<void> => {
    const inside = Math.min(left, into.length);
    await reader.fill(into.subarray(0, inside), signal);
    into.fill(0, inside);
    left -= inside;
  };
  const skipped = new Uint8Array(CHUNK);
  for (let offset = from; offset < start; offset += CHUNK) await read(skipped);
  return read;
}
