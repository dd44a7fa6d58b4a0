/** Lanes: what they take, in which order they begin, and how they share a bandwidth. */
import { writeFileSync } from "node:fs";
import { setImmediate } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { KiB, MiB } from "../../src/bytes/units.ts";
import { formatByUserName } from "../../src/format/registry.ts";
import { vhd } from "../../src/format/vhd/vhd.ts";
import { memorySource } from "../../src/source/memory/memory.ts";
import type { Producer, SegmentJob } from "../../src/transfer/job.ts";
import { LaneBuffers } from "../../src/transfer/lane-buffers.ts";
import { planTransfer } from "../../src/transfer/plan-transfer.ts";
import { produce } from "../../src/transfer/produce.ts";
import { Shared } from "../../src/transfer/shared.ts";
import { createPool } from "../../src/worker/pool.ts";
import { handMade } from "../format/vhd/hand-made.ts";
import { digestOf, noise } from "../oracle/disk.ts";
import { closedGate } from "../support/gate.ts";
import { makeWorld } from "../support/world.ts";

const world = await makeWorld("lanes");
const never = new AbortController().signal;

describe("the offset of a segment in one file", () => {
  it("may be told again, but never otherwise: a segment never overwrites its neighbour", () => {
    const shared = Shared.create(3);
    shared.setOffset(1, 4096);
    shared.setOffset(1, 4096);
    expect(() => shared.setOffset(1, 8192)).toThrow(/^segment 1 stands at 4096 .* 8192: .*--restart$/);
    expect(shared.offset(1)).toBe(4096);
  });
});

describe("a bandwidth limit", () => {
  const content = noise(300 * KiB, 1);

  /** What a segment asks leave for, step by step. */
  async function stepsAt(bandwidth: number): Promise<number[]> {
    const steps: number[] = [];
    const shared = Shared.create(0);
    shared.bandwidth = bandwidth;
    shared.throttle = async (bytes) => void steps.push(bytes);
    const job: SegmentJob = {
      number: 1,
      range: { offset: 0, length: content.length },
      pieces: [{ kind: "data", length: content.length, source: 0, offset: 0 }],
      sources: [],
      chunk: MiB,
      shape: { kind: "flat", tail: new Uint8Array(0), zeros: "send" },
      target: { kind: "discard", name: "nothing" },
      checksums: ["md5"],
      shared: shared.memory,
    };
    const lane = {
      sources: [memorySource(content, "disk")],
      shared,
      buffers: new LaneBuffers(),
      encoder: () => {
        throw new Error("flat segments have no encoder");
      },
    };
    await produce(job, lane, never);
    return steps;
  }

  it("lets a connection have small steps in turn, so that none falls silent for long", async () => {
    const whole = 64 * KiB;
    expect(await stepsAt(MiB)).toEqual([whole, whole, whole, whole, 44 * KiB]);
  });

  it("that is not set cuts nothing", async () => {
    expect(await stepsAt(0)).toEqual([content.length]);
  });
});

describe("an image of large blocks that stand plain", () => {
  it.each([
    ["raw", 4 * MiB],
    ["qcow2", 24 * MiB],
  ] as const)("takes no more memory than any other, as %s", async (format, most) => {
    const size = 1024 * MiB;
    const file = handMade({ type: 3, size, uuid: "00".repeat(16), blockSize: 256 * MiB });
    const source = memorySource(file, "large.vhd");
    await using image = await vhd.reader.open({ source, gate: closedGate, allowAmplification: false }, never);
    expect(image.unit).toBe(256 * MiB);
    const layout = formatByUserName(format).writer.layout({ virtualSize: size, seed: new Uint8Array(16) });
    await using destination = await world.engine.places.destination(world.path("out"), never);
    const request = {
      image: local(image),
      layout,
      limits: destination.limits,
      adopt: "coded units",
    } as const;
    const plan = await planTransfer(request, never);
    expect(plan.laneMemory).toBeLessThanOrEqual(most);
  });

  /** As if it were read from a file: sources behind a network are read in larger chunks. */
  function local<T extends { readonly sources: readonly object[] }>(image: T): T {
    const sources = image.sources.map((source) => ({ ...source, extents: async function* () {} }));
    return new Proxy(image, { get: (of, key) => (key === "sources" ? sources : Reflect.get(of, key, of)) });
  }
});

describe("a packed file whose first segment is the slowest", () => {
  const segment = 2 * MiB;
  const disk = Buffer.concat([
    noise(segment, 1),
    Buffer.alloc(31 * segment, "all work and no play\n"),
    noise(segment, 2),
  ]);

  it("is landed by lanes that wait for each other, however few they are", async () => {
    writeFileSync(world.path("slow.raw"), disk);
    await using pool = createPool({ threads: 2, lanesPerThread: 2 });
    // More jobs are handed out than there are lanes: those behind the first would take them all.
    const producer: Producer = {
      lanes: 64,
      threads: 64,
      produce: (job, signal) => pool.produce(job, signal),
    };
    let asked = 0;
    const places = {
      source: async (location: string, signal: AbortSignal) => {
        const source = await world.engine.places.source(location, signal);
        return {
          ...source,
          async recipe(until: AbortSignal) {
            asked += 1;
            if (asked === 1) for (let i = 0; i < 1000; i += 1) await setImmediate();
            return source.recipe(until);
          },
        };
      },
    };
    const { guestDigest } = await world.transfer("slow.raw", "slow.qcow2", {
      source: { format: "raw" },
      format: "qcow2",
      compression: "zlib",
      segment,
      concurrency: 64,
      memory: 1024 * MiB,
      producer,
      places,
      verify: "read back",
    });
    expect(guestDigest).toBe(digestOf(disk));
    expect(asked).toBe(33);
  });
});
