/** How fast one core is at what transfers are made of: short measurements, good to about a fifth. */
import { formatSize, MiB } from "../bytes/units.ts";
import { decodeUnit, encodeDeflate, encodeZstd } from "../codec/codec.ts";
import { crc64 } from "../digest/crc64.ts";
import { GuestDigest } from "../digest/guest-digest.ts";
import { Md5 } from "../digest/md5-lanes.ts";

export interface Measured {
  readonly name: string;
  readonly state: "ok";
  readonly text: string;
  readonly bytesPerSecond: number;
}

/** Of each, the first run left out, which compiles and warms up. */
const BUDGET_MS = 120;
const MD5_STREAMS = 8;

/** Disk bytes, whatever the stored form takes. */
export function* measure(signal: AbortSignal): Generator<Measured> {
  const bytes = sample(MiB);
  const into = new Uint8Array(MiB);
  const deflated = encodeDeflate(bytes, 6);
  const zstd = encodeZstd(bytes, 3);
  const tasks: readonly (readonly [string, string, number, () => void])[] = [
    ["inflate", "to read zlib units", MiB, () => decodeUnit("deflate", deflated, into, "measurement")],
    ["compress", "to write zlib units at level 1", MiB, () => void encodeDeflate(bytes, 1)],
    ["zstd", "to read zstd units", MiB, () => decodeUnit("zstd", zstd, into, "measurement")],
    ["md5", `for ${MD5_STREAMS} parts at once`, MD5_STREAMS * MiB, md5(bytes)],
    ["crc64", "of whole objects", MiB, () => void crc64("crc64nvme", bytes)],
    ["guest digest", "of disk contents", MiB, () => new GuestDigest().add(bytes, 0)],
  ];
  for (const [name, what, size, work] of tasks) {
    signal.throwIfAborted();
    const bytesPerSecond = Math.round(size * perSecond(work));
    yield { name, state: "ok", text: `${formatSize(bytesPerSecond)}/s a core ${what}`, bytesPerSecond };
  }
}

function md5(bytes: Uint8Array): () => void {
  const streams = Array.from({ length: MD5_STREAMS }, () => new Md5());
  return () => Md5.update(streams.map((stream) => ({ stream, bytes })));
}

function perSecond(work: () => void): number {
  work();
  const start = performance.now();
  let runs = 0;
  let passed = 0;
  do {
    work();
    runs += 1;
    passed = performance.now() - start;
  } while (passed < BUDGET_MS);
  return (runs * 1000) / passed;
}

/** Neither zeros nor noise: words in a fixed order without a period, which compress to about a third. */
function sample(length: number): Uint8Array {
  const words = Array.from({ length: 256 }, (_, i) => (i * 2654435761).toString(36).slice(0, 3 + (i % 7)));
  const bytes = Buffer.alloc(length);
  let state = 1;
  for (let at = 0; at < length; ) {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    at += bytes.write(`${words[state >>> 24]} `, at);
  }
  return bytes;
}
