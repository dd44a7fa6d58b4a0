import { inflateRawSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { KiB, MiB } from "../../src/bytes/units.ts";
import { type Libisal, libisal } from "../../src/native/libisal.ts";
import { noise } from "../digest/noise.ts";
import { inThreads } from "../support/in-threads.ts";

const library = libisal();
const FLUSH = Buffer.from("0000ffff", "hex");
/** A final block that holds nothing. */
const EMPTY = Uint8Array.of(3, 0);
const absent = library === undefined ? " (skipped: this machine has no ISA-L)" : "";

describe.skipIf(library === undefined)(`ISA-L${absent}`, () => {
  const { deflate } = library ?? ({} as Libisal);

  /** Alone, and in front of another stream. */
  function comesBack(bytes: Uint8Array): boolean {
    const whole = deflate(bytes, "final block");
    if (whole === undefined || !inflateRawSync(whole).equals(bytes)) return false;
    const flushed = deflate(bytes, "flush");
    if (flushed === undefined || !FLUSH.equals(flushed.subarray(-4))) return false;
    return inflateRawSync(Buffer.concat([flushed, flushed, EMPTY])).equals(Buffer.concat([bytes, bytes]));
  }

  /** Bytes of which about one in `rare` is new, the rest stands a random distance back. */
  function repeating(length: number, seed: number, rare: number): Buffer {
    const bytes = noise(length, seed);
    const dice = noise(length, seed + 1);
    for (let at = 1; at < length; at += 1) {
      if ((dice[at] as number) % rare === 0) continue;
      bytes[at] = bytes[at - 1 - (((dice[at] as number) * 251) % Math.min(at, 40 * KiB))] as number;
    }
    return bytes;
  }

  test("codes any bytes", () => {
    fc.assert(fc.property(fc.uint8Array({ minLength: 1, maxLength: 5000 }), comesBack));
  });

  test("codes bytes of every length up to a kilobyte, and of the sizes of clusters", () => {
    const lengths = Array.from({ length: KiB }, (_, index) => index + 1);
    for (let cluster = 2 * KiB; cluster <= 2 * MiB; cluster *= 2) lengths.push(cluster, cluster - 1);
    const bytes = repeating(2 * MiB, 7, 3);
    for (const length of lengths) expect(comesBack(bytes.subarray(0, length)), `${length}`).toBe(true);
  });

  test("codes what shrinks much, little and not at all", () => {
    for (const rare of [2, 3, 5, 9, 40]) {
      for (let seed = 0; seed < 8; seed += 1) expect(comesBack(repeating(64 * KiB, seed, rare))).toBe(true);
    }
    expect(comesBack(Buffer.alloc(MiB))).toBe(true);
    expect(comesBack(noise(MiB, 3))).toBe(true);
  });

  test("needs no more than five bytes for each 16 KiB that do not shrink", () => {
    const bytes = noise(256 * KiB, 5);
    expect(deflate(bytes, "final block")?.length).toBeLessThanOrEqual(bytes.length + 5 * 17);
  });

  test("gives equal bytes for equal bytes, whatever came before", () => {
    const bytes = repeating(64 * KiB, 1, 4);
    const first = deflate(bytes, "final block")?.slice();
    deflate(noise(100 * KiB, 2), "flush");
    deflate(Buffer.alloc(512), "flush");
    expect(deflate(bytes, "final block")).toEqual(first);
  });

  test("works in several threads at once", async () => {
    const module = new URL("../../src/native/libisal.ts", import.meta.url).href;
    const script = `
      import { parentPort } from "node:worker_threads";
      import { inflateRawSync } from "node:zlib";
      const { libisal } = await import(${JSON.stringify(module)});
      const bytes = Buffer.alloc(50000, "diskferry moves disk images. ");
      let sound = 0;
      for (let i = 0; i < 500; i += 1) {
        bytes.writeUInt32LE(i * 2654435761 >>> 0, (i * 97) % 49000);
        if (inflateRawSync(libisal().deflate(bytes, 'final block')).equals(bytes)) sound += 1;
      }
      parentPort.postMessage(sound);
    `;
    expect(await inThreads(3, script)).toEqual([500, 500, 500]);
  });
});
