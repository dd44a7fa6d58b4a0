/** A thread of sender.bench.ts: lanes that put parts to a sink, each digested on its way. */
import { parentPort, workerData } from "node:worker_threads";
import { MiB } from "../../src/bytes/units.ts";
import type { ChecksumName } from "../../src/digest/checksum.ts";
import { createPartDigest } from "../../src/digest/part-digest.ts";
import { sendHttp } from "../../src/transfer/send.ts";

export interface SenderTask {
  readonly url: string;
  readonly lanes: number;
  /** Parts of each lane, and bytes of each part. */
  readonly parts: number;
  readonly length: number;
  readonly checksums: readonly ChecksumName[];
}

const { url, lanes, parts, length, checksums } = workerData as SenderTask;
const data = Buffer.alloc(32 * MiB);
for (let at = 0; at < data.length; at += 4) data.writeInt32LE(Math.imul(at, 2654435761) ^ (at >>> 7), at);

async function sendPart(lane: number): Promise<void> {
  const digest = createPartDigest(checksums);
  async function* body(): AsyncGenerator<Uint8Array> {
    for (let at = 0; at < length; at += MiB) {
      const start = (at + lane * MiB) % data.length;
      digest.hold(data.subarray(start, start + MiB));
      if (at + MiB >= length) await digest.settle(0);
      yield data.subarray(start, start + MiB);
      await digest.settle(1);
    }
  }
  const target = {
    kind: "http",
    method: "PUT",
    url: `${url}/${lane}`,
    headers: {},
    // A sink has no digest to compare with.
    expect: { etag: "opaque" },
    name: "sink",
  } as const;
  await sendHttp(target, length, body(), () => digest.finish(), new AbortController().signal);
}

parentPort?.on("message", async () => {
  await Promise.all(
    Array.from({ length: lanes }, async (_, lane) => {
      for (let part = 0; part < parts; part += 1) await sendPart(lane);
    }),
  );
  parentPort?.postMessage("done");
});
parentPort?.postMessage("ready");
