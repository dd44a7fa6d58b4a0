import { rmSync, statSync } from "node:fs";
import { open } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { GiB, KiB, MiB } from "../../src/bytes/units.ts";
import { noise } from "../oracle/disk.ts";
import { QEMU, QEMU_REASON, qemuImg } from "../support/qemu.ts";
import { makeWorld } from "../support/world.ts";

const world = await makeWorld("memory");
const { path } = world;

const SIZE = 64 * GiB;
const DATA = 64 * MiB;
/** 64 MiB of data, in pieces of 64 KiB, all over 64 GiB. */
const file = await open(path("wide.raw"), "w");
await file.truncate(SIZE);
for (let at = 0; at < DATA; at += 64 * KiB) {
  await file.write(noise(64 * KiB, at + 1), 0, 64 * KiB, at * (SIZE / DATA) + (at % (9 * 64 * KiB)));
}
await file.close();

const LIMIT = 128 * MiB;
/** What a process with two threads of V8 takes besides, at its most: code, heaps, and buffers that await collection. */
const BESIDES = 384 * MiB;

/** Runs a transfer. @returns by how much the process's memory grew at its most */
async function growth(from: string, to: string, format: string): Promise<number> {
  const before = process.memoryUsage.rss();
  let peak = 0;
  const timer = setInterval(() => {
    peak = Math.max(peak, process.memoryUsage.rss() - before);
  }, 20);
  try {
    const result = await world.transfer(from, to, { format, memory: LIMIT, existing: "replace" });
    expect(result.virtualSize).toBe(SIZE);
  } finally {
    clearInterval(timer);
  }
  if (to !== "null:") {
    // Holes stayed holes.
    expect(statSync(path(to)).blocks * 512).toBeLessThan(2 * DATA);
    rmSync(path(to));
  }
  return peak;
}

describe("memory", () => {
  const fromRaw: [string, string][] = [
    ["null:", "qcow2"],
    ["out", "raw"],
  ];
  const fromQcow2: [string, string][] = [
    ["null:", "raw"],
    ["out", "qcow2"],
  ];

  it.each(fromRaw)(
    "is bounded by the limit, not by the disk: raw of 64 GiB to %s as %s",
    async (to, format) => {
      expect(await growth("wide.raw", to, format)).toBeLessThan(LIMIT + BESIDES);
    },
  );

  it.skipIf(!QEMU).each(fromQcow2)(
    `is bounded by the limit, not by the disk: qcow2 of 64 GiB to %s as %s${QEMU_REASON}`,
    async (to, format) => {
      qemuImg("convert", "-f", "raw", "-O", "qcow2", path("wide.raw"), path("wide.qcow2"));
      expect(await growth("wide.qcow2", to, format)).toBeLessThan(LIMIT + BESIDES);
    },
  );

  it("holds no more jobs in flight than fit into the limit", async () => {
    let running = 0;
    let most = 0;
    const producer = {
      lanes: 8,
      threads: 8,
      async produce(...[job, signal]: Parameters<typeof world.engine.producer.produce>) {
        running += 1;
        most = Math.max(most, running);
        return world.engine.producer.produce(job, signal).finally(() => {
          running -= 1;
        });
      },
    };
    const job = { producer, format: "qcow2", segment: 8 * MiB, memory: 32 * MiB } as const;
    await world.transfer("wide.raw", "null:", job);
    // A lane has a segment of 8 MiB stored plain, and room to decode.
    expect([most >= 1, most <= 3]).toEqual([true, true]);
    most = 0;
    await world.transfer("wide.raw", "null:", { ...job, memory: 1024 * MiB });
    expect(most).toBe(8);
  });
});
