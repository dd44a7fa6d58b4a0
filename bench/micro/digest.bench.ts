/** How fast the digests are on one core, over data larger than its caches. Run: node bench/micro/digest.bench.ts */
import { createHash } from "node:crypto";
import { KiB, MiB } from "../../src/bytes/units.ts";
import { isZero } from "../../src/bytes/zero.ts";
import { Crc64, crc64Combine } from "../../src/digest/crc64.ts";
import { GUEST_BLOCK, GuestDigest } from "../../src/digest/guest-digest.ts";
import { useKernels } from "../../src/digest/kernels.ts";
import { Md5 } from "../../src/digest/md5-lanes.ts";
import { createPartDigest } from "../../src/digest/part-digest.ts";
import { type Task, throughput } from "./throughput.ts";

const SIZE = 128 * MiB;
const CHUNK = MiB;
const data = Buffer.alloc(SIZE);
for (let at = 0; at < SIZE; at += 4) data.writeInt32LE(Math.imul(at, 2654435761) ^ (at >>> 7), at);
/** Written once, so that the pages are real. */
const zeros = Buffer.alloc(SIZE, 1).fill(0);

function* chunks(bytes: Buffer, size = CHUNK): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

function each(
  name: string,
  bytes: Buffer,
  work: (chunk: Buffer, offset: number) => void,
  size = CHUNK,
): Task {
  return {
    name,
    bytes: bytes.length,
    run() {
      let offset = 0;
      for (const chunk of chunks(bytes, size)) {
        work(chunk, offset);
        offset += chunk.length;
      }
    },
  };
}

/** Several streams of one thread, each with its own part of the data. */
function md5Lanes(lanes: number): Task {
  const length = Math.floor(SIZE / lanes / CHUNK) * CHUNK;
  return {
    name: `md5, ${lanes} streams`,
    bytes: length * lanes,
    run() {
      const streams = Array.from({ length: lanes }, () => new Md5());
      for (let at = 0; at < length; at += CHUNK) {
        Md5.update(
          streams.map((stream, lane) => {
            const start = lane * length + at;
            return { stream, bytes: data.subarray(start, start + CHUNK) };
          }),
        );
      }
      for (const stream of streams) stream.digest();
    },
  };
}

/** As a worker uses it: asynchronous lanes that each await their update. */
function partDigests(lanes: number, names: Parameters<typeof createPartDigest>[0]): Task {
  const length = Math.floor(SIZE / lanes / CHUNK) * CHUNK;
  return {
    name: `part digest ${names.join("+")}, ${lanes} async lanes`,
    bytes: length * lanes,
    async run() {
      await Promise.all(
        Array.from({ length: lanes }, async (_, lane) => {
          const digest = createPartDigest(names);
          for (let at = 0; at < length; at += CHUNK) {
            const start = lane * length + at;
            await digest.update(data.subarray(start, start + CHUNK));
          }
          digest.finish();
        }),
      );
    },
  };
}

const openssl = createHash("md5");
const sha256 = createHash("sha256");
await throughput("node:crypto", [
  each("md5", data, (chunk) => openssl.update(chunk)),
  each("sha256", data, (chunk) => sha256.update(chunk)),
]);

for (const form of ["simd", "plain"] as const) {
  await useKernels(form);
  const crc = new Crc64("crc64xz");
  const guest = new GuestDigest();
  const add = (chunk: Buffer, offset: number) => guest.add(chunk, offset);
  await throughput(`MD5, ${form}`, [
    ...[1, 2, 3, 4, 5, 6, 7, 8].map(md5Lanes),
    ...[1, 4, 8].map((lanes) => partDigests(lanes, ["md5"])),
  ]);
  await throughput(`CRC-64, ${form}`, [
    each("Crc64", data, (chunk) => crc.update(chunk)),
    partDigests(4, ["md5", "crc64nvme"]),
  ]);
  await throughput(`Guest digest, ${form}`, [
    each("1 MiB at once", data, add),
    each("64 KiB at once", data, add, GUEST_BLOCK),
    each("zeros", zeros, add),
  ]);
}
await useKernels("simd");

await throughput(
  "Zeros",
  [4 * KiB, 64 * KiB, 2 * MiB].map((size) =>
    each(`isZero, ${size / KiB} KiB of zeros`, zeros, (chunk) => void isZero(chunk), size),
  ),
);

const COMBINES = 10_000;
const start = performance.now();
let sum = 1n;
for (let i = 0; i < COMBINES; i += 1) sum = crc64Combine("crc64xz", sum, 5n, 16 * MiB + i);
console.log(`crc64Combine: ${(((performance.now() - start) * 1000) / COMBINES).toFixed(2)} µs`);
