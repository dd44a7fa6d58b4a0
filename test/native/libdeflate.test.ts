import { deflateRawSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { type Libdeflate, libdeflate } from "../../src/native/libdeflate.ts";
import { noise } from "../digest/noise.ts";
import { inThreads } from "../support/in-threads.ts";

const library = libdeflate();
const absent = library === undefined ? " (skipped: this machine has no libdeflate)" : "";

describe.skipIf(library === undefined)(`libdeflate${absent}`, () => {
  const { inflate, deflate, bound } = library ?? ({} as Libdeflate);
  const bytes = Buffer.alloc(50_000, "diskferry moves disk images. ");

  test("writes to a view of a larger buffer, and nowhere else", () => {
    const around = Buffer.alloc(bytes.length + 200, 0xa5);
    const coded = deflateRawSync(bytes);
    const shifted = Buffer.concat([Buffer.alloc(13), coded]).subarray(13);
    expect(inflate(shifted, around.subarray(100, 100 + bytes.length))).toBe(true);
    expect(around.subarray(100, 100 + bytes.length).equals(bytes)).toBe(true);
    expect(around.subarray(0, 100)).toEqual(Buffer.alloc(100, 0xa5));
    expect(around.subarray(100 + bytes.length)).toEqual(Buffer.alloc(100, 0xa5));
  });

  test("says no to more bytes, fewer bytes, a cut stream and none", () => {
    const coded = deflateRawSync(bytes);
    expect(inflate(coded, new Uint8Array(bytes.length - 1))).toBe(false);
    expect(inflate(coded, new Uint8Array(bytes.length + 1))).toBe(false);
    expect(inflate(coded.subarray(0, -1), new Uint8Array(bytes.length))).toBe(false);
    expect(inflate(new Uint8Array(0), new Uint8Array(1))).toBe(false);
  });

  test("gives 0 when the coded form does not fit, and always fits its bound", () => {
    const random = noise(10_000, 1);
    const room = Buffer.alloc(bound(random.length) + 100, 0xa5);
    for (let level = 0; level <= 12; level += 1) {
      expect(deflate(random, level, room.subarray(0, 9_000))).toBe(0);
      expect(room.subarray(9_000)).toEqual(Buffer.alloc(room.length - 9_000, 0xa5));
      const length = deflate(random, level, room.subarray(0, bound(random.length)));
      expect(length).toBeGreaterThan(0);
      room.fill(0xa5);
    }
  });

  test("works in several threads at once", async () => {
    const module = new URL("../../src/native/libdeflate.ts", import.meta.url).href;
    const script = `
      import { parentPort } from "node:worker_threads";
      import { deflateRawSync } from "node:zlib";
      const { libdeflate } = await import(${JSON.stringify(module)});
      const into = Buffer.alloc(50000);
      const bytes = Buffer.alloc(50000, "diskferry moves disk images. ");
      const coded = deflateRawSync(bytes);
      let sound = 0;
      for (let i = 0; i < 500; i += 1) {
        if (libdeflate().inflate(coded, into.fill(0)) && into.equals(bytes)) sound += 1;
      }
      parentPort.postMessage(sound);
    `;
    expect(await inThreads(3, script)).toEqual([500, 500, 500]);
  });
});
