import { createCipheriv, createSecretKey, randomBytes } from "node:crypto";
import { inspect } from "node:util";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { contentStream, encryptedChunks } from "../../src/cipher/content-cipher.ts";

const KEY = Buffer.alloc(32, 7);
const cipher = { key: createSecretKey(KEY), disk: 0 };

/** As a reader of the file would write it: the whole object in one go. */
function wholly(bytes: Uint8Array, disk: number): Buffer {
  const counter = Buffer.alloc(16);
  counter.writeBigUInt64BE(BigInt(disk));
  return createCipheriv("aes-256-ctr", KEY, counter).update(bytes);
}

describe("the cipher of contents", () => {
  it("is AES-256 in counter mode: what zeros become is the counter, encrypted as a block", () => {
    const key = Buffer.from("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4", "hex");
    const counter = Buffer.from("0000000000000003" + "0000000000000002", "hex");
    const block = createCipheriv("aes-256-ecb", key, null).update(counter);
    const encrypted = contentStream({ key: createSecretKey(key), disk: 3 }, 32)(Buffer.alloc(16));
    expect(Buffer.from(encrypted)).toEqual(block);
  });

  it("encrypts any run of an object as it would encrypt all of it", () => {
    const bytes = randomBytes(4096);
    const whole = wholly(bytes, 0);
    fc.assert(
      fc.property(fc.nat(4095), fc.nat(4096), (from, length) => {
        const run = bytes.subarray(from, from + length);
        expect(contentStream(cipher, from)(run)).toEqual(whole.subarray(from, from + run.length));
      }),
    );
  });

  it("goes on where it stopped", async () => {
    const bytes = randomBytes(1000);
    const out: Uint8Array[] = [];
    const pieces = [bytes.subarray(0, 3), bytes.subarray(3, 500), bytes.subarray(500)];
    for await (const chunk of encryptedChunks(pieces, cipher, 0)) out.push(chunk);
    expect(Buffer.concat(out)).toEqual(wholly(bytes, 0));
  });

  it("decrypts by encrypting", () => {
    const bytes = randomBytes(777);
    expect(Buffer.from(contentStream(cipher, 5)(contentStream(cipher, 5)(bytes)))).toEqual(bytes);
  });

  it("has other bytes for each disk, and for each offset", () => {
    const zeros = new Uint8Array(64);
    const streams = [0, 1].flatMap((disk) =>
      [0, 64, 2 ** 40, 2 ** 52].map((offset) =>
        Buffer.from(contentStream({ ...cipher, disk }, offset)(zeros)).toString("hex"),
      ),
    );
    expect(new Set(streams).size).toBe(streams.length);
    expect(streams[4]).toBe(wholly(zeros, 1).toString("hex"));
  });

  it("tells nobody the key", () => {
    const shown = JSON.stringify(cipher) + inspect(cipher, { depth: 9, showHidden: true });
    for (const encoding of ["hex", "base64"] as const) expect(shown).not.toContain(KEY.toString(encoding));
  });
});
