/**
 * How fast parts are sent over loopback by two threads, digests included, with the receiving end on the same cores.
 * Run: node bench/micro/sender.bench.ts
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { GiB, MiB } from "../../src/bytes/units.ts";
import type { ChecksumName } from "../../src/digest/checksum.ts";
import type { SenderTask } from "./sender-thread.ts";

const THREADS = 2;
const LANES = 4;
const PARTS = 4;
const LENGTH = 64 * MiB;
const ROUNDS = 5;
/** GiB a second that are aimed at, with the MD5 that Swift and S3 ask for. */
const TARGET = 1.5;

async function startSink(): Promise<{ readonly url: string; readonly process: ChildProcess }> {
  const sink = spawn(process.execPath, [join(import.meta.dirname, "sink.ts")], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const [port] = (await once(sink.stdout, "data")) as [Buffer];
  return { url: `http://127.0.0.1:${port.toString().trim()}`, process: sink };
}

/** GiB a second, and CPU seconds of this process by GiB, of the median round. */
async function measure(url: string, checksums: readonly ChecksumName[]) {
  const task: SenderTask = { url, lanes: LANES, parts: PARTS, length: LENGTH, checksums };
  const file = join(import.meta.dirname, "sender-thread.ts");
  const threads = Array.from({ length: THREADS }, () => new Worker(file, { workerData: task }));
  await Promise.all(threads.map((thread) => once(thread, "message")));
  const sent = (THREADS * LANES * PARTS * LENGTH) / GiB;
  const rounds: { readonly rate: number; readonly cpu: number }[] = [];
  // The first is a warm-up.
  for (let round = 0; round <= ROUNDS; round += 1) {
    const [start, cpu] = [performance.now(), process.cpuUsage()];
    await Promise.all(
      threads.map((thread) => {
        thread.postMessage("go");
        return once(thread, "message");
      }),
    );
    const { user, system } = process.cpuUsage(cpu);
    const rate = sent / ((performance.now() - start) / 1000);
    if (round > 0) rounds.push({ rate, cpu: (user + system) / 1e6 / sent });
  }
  await Promise.all(threads.map((thread) => thread.terminate()));
  rounds.sort((a, b) => a.rate - b.rate);
  return rounds[Math.floor(rounds.length / 2)] ?? { rate: Number.NaN, cpu: Number.NaN };
}

const sink = await startSink();
try {
  console.log(`Sender, ${THREADS} threads of ${LANES} lanes, parts of ${LENGTH / MiB} MiB`);
  const table: Record<string, Record<string, string>> = {};
  const kinds: readonly (readonly ChecksumName[])[] = [[], ["md5"], ["crc64xz"], ["md5", "crc64nvme"]];
  for (const checksums of kinds) {
    const { rate, cpu } = await measure(sink.url, checksums);
    const met = checksums.join() === "md5" ? `${TARGET}, ${rate >= TARGET ? "met" : "MISSED"}` : "";
    table[checksums.join(" + ") || "no checksum"] = {
      "median GiB/s": rate.toFixed(2),
      "CPU s a GiB": cpu.toFixed(2),
      "target GiB/s": met,
    };
  }
  console.table(table);
} finally {
  sink.process.stdin?.end();
}
