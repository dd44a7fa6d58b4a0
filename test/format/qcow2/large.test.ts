import { describe, expect, it } from "vitest";
import { GiB, KiB, MiB, TiB } from "../../../src/bytes/units.ts";
import type { PackedLayout } from "../../../src/format/format.ts";
import { PLAIN } from "../../../src/format/qcow2/encoder.ts";
import { qcow2 } from "../../../src/format/qcow2/qcow2.ts";
import type { Source } from "../../../src/source/source.ts";
import { extentsOf, never, openImage } from "./open.ts";
import { type Counted, plainEntry, synthetic } from "./synthetic.ts";

/** A source that notes how much buffer memory there is whenever it is read. */
function watched(source: Source): { readonly source: Source; peak(): number } {
  const before = process.memoryUsage().arrayBuffers;
  let peak = 0;
  return {
    source: {
      ...source,
      async read(into, position, signal) {
        peak = Math.max(peak, process.memoryUsage().arrayBuffers - before);
        await source.read(into, position, signal);
      },
    },
    peak: () => peak,
  };
}

describe("images larger than memory", () => {
  it("1 TiB of plain clusters is checked in a few megabytes", async () => {
    const { source, peak } = watched(
      synthetic({
        virtualSize: TiB,
        clusterBits: 16,
        tables: "full",
        entry: plainEntry(64 * KiB),
      }),
    );
    const image = await openImage(source);
    // 128 MiB of tables and sets of 2 MiB
    expect(peak()).toBeLessThan(48 * MiB);
    expect(await extentsOf(image)).toEqual([{ kind: "data", offset: 0, length: TiB }]);
    expect(peak()).toBeLessThan(64 * MiB);
    const pieces = await image.pieces({ offset: TiB - 3 * GiB, length: 3 * GiB }, never);
    expect(pieces.length).toBe(1);
  });

  it("8 TiB of nothing costs no reads but the L1 table", async () => {
    const counted: Counted = { reads: 0, bytes: 0 };
    const source = synthetic(
      { virtualSize: 8 * TiB, clusterBits: 16, tables: "none", entry: () => undefined },
      counted,
    );
    const image = await openImage(source);
    const { reads } = counted;
    expect(await extentsOf(image)).toEqual([{ kind: "zero", offset: 0, length: 8 * TiB }]);
    expect(counted.reads).toBe(reads);
  });

  it("tables that are asked for one by one are kept, but only a few of them", async () => {
    const counted: Counted = { reads: 0, bytes: 0 };
    const source = synthetic(
      { virtualSize: 128 * GiB, clusterBits: 16, tables: "full", entry: plainEntry(64 * KiB) },
      counted,
    );
    const image = await openImage(source);
    const readsOf = async (table: number) => {
      const before = counted.reads;
      await image.pieces({ offset: table * 512 * MiB, length: MiB }, never);
      return counted.reads - before;
    };
    expect([await readsOf(0), await readsOf(0)]).toEqual([1, 0]);
    for (let table = 1; table < 200; table += 1) expect(await readsOf(table)).toBe(1);
    expect([await readsOf(199), await readsOf(0)]).toEqual([0, 1]);
  });

  it("the last of many compressed clusters in no order is found when it repeats another", async () => {
    const size = 16 * GiB;
    const clusters = size / (64 * KiB);
    // streams of 1 KiB, in an order that jumps through the file; the last repeats the one in the middle
    const entry = (repeat: "no" | "yes") =>
      synthetic({
        virtualSize: size,
        clusterBits: 16,
        tables: "full",
        entry(guest, data, into, at) {
          const which = repeat === "yes" && guest === clusters - 1 ? clusters / 2 : guest;
          const offset = data * 64 * KiB + ((which * 7919) % clusters) * KiB;
          into.setUint32(at, 0x40000000 + (1 << 22) + Math.floor(offset / 2 ** 32));
          into.setUint32(at + 4, offset % 2 ** 32);
        },
      });
    const image = await openImage(entry("no"));
    expect(image.report().compression).toBe("zlib");
    await expect(openImage(entry("yes"))).rejects.toMatchObject({ code: "AMPLIFICATION" });
    await openImage(entry("yes"), { amplification: "allow" });
  });

  it("a file with too many clusters to check is refused", async () => {
    const source = synthetic({
      virtualSize: MiB,
      clusterBits: 9,
      tables: "full",
      entry: plainEntry(512),
    });
    await expect(openImage({ ...source, size: 2 * TiB })).rejects.toMatchObject({ code: "LIMIT_EXCEEDED" });
  });

  it("the walk stops when it is told to", async () => {
    const controller = new AbortController();
    const source = synthetic({
      virtualSize: TiB,
      clusterBits: 16,
      tables: "full",
      entry: plainEntry(64 * KiB),
    });
    let reads = 0;
    const request = {
      source: {
        ...source,
        async read(into: Uint8Array, position: number, signal: AbortSignal) {
          reads += 1;
          if (reads === 8) controller.abort(new Error("enough"));
          await source.read(into, position, signal);
        },
      },
      gate: { backing: () => Promise.reject(), dataFile: () => Promise.reject() },
      allowAmplification: false,
    };
    await expect(qcow2.reader.open(request, controller.signal)).rejects.toThrow("enough");
    expect(reads).toBeLessThan(40);
  });

  it("the head of a full 256 GiB image streams, and reads back", async () => {
    const layout = qcow2.writer.layout({ virtualSize: 256 * GiB, seed: new Uint8Array(16) }) as PackedLayout;
    const unitsPerSegment = 1024;
    const segments = (256 * GiB) / 65536 / unitsPerSegment;
    const length = unitsPerSegment * 65536;
    const headLength = layout.headLength({ tables: 512, bytes: 256 * GiB }, 0);
    const sealed = layout.seal({
      headLength,
      dataEnd: headLength + 256 * GiB,
      async *segments() {
        const units = new Uint32Array(unitsPerSegment).fill(PLAIN);
        for (let i = 0; i < segments; i += 1) {
          yield { firstUnit: i * unitsPerSegment, offset: headLength + i * length, length, units };
        }
      },
    });
    const head = Buffer.alloc(headLength);
    let at = 0;
    for await (const chunk of sealed.head()) {
      expect(chunk.length).toBeLessThanOrEqual(2 * MiB);
      head.set(chunk, at);
      at += chunk.length;
    }
    expect(at).toBe(headLength);
    const blank = synthetic({ virtualSize: MiB, clusterBits: 16, tables: "none", entry: () => undefined });
    const image = await openImage({
      ...blank,
      size: headLength + 256 * GiB,
      async read(into, position) {
        into.set(head.subarray(position, position + into.length));
      },
    });
    expect(await image.pieces({ offset: 0, length: 256 * GiB }, never)).toEqual([
      { kind: "data", source: 0, offset: headLength, length: 256 * GiB },
    ]);
  });
});
