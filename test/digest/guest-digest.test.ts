import fc from "fast-check";
import { xxhash128 } from "hash-wasm";
import { beforeAll, describe, expect, test } from "vitest";
import {
  combineGuest,
  formatGuestDigest,
  GUEST_BLOCK,
  GuestDigest,
  guestFromHex,
  guestHex,
} from "../../src/digest/guest-digest.ts";
import { useKernels } from "../../src/digest/kernels.ts";
import { noise } from "./noise.ts";

const BITS = 64n;
const M64 = (1n << BITS) - 1n;

function mix(value: bigint): bigint {
  let x = value & M64;
  x = ((x ^ (x >> 33n)) * 0xff51afd7ed558ccdn) & M64;
  x = ((x ^ (x >> 33n)) * 0xc4ceb9fe1a85ec53n) & M64;
  return x ^ (x >> 33n);
}

/** The definition, by another implementation of XXH3-128 and whole numbers. */
async function reference(disk: Uint8Array, firstBlock = 0): Promise<bigint> {
  let sum = 0n;
  for (let at = 0; at < disk.length; at += GUEST_BLOCK) {
    const block = Buffer.alloc(GUEST_BLOCK);
    block.set(disk.subarray(at, at + GUEST_BLOCK));
    if (block.every((byte) => byte === 0)) continue;
    const leaf = await xxhash128(block);
    let high = BigInt(`0x${leaf.slice(0, 16)}`);
    let low = BigInt(`0x${leaf.slice(16)}`);
    const index = BigInt(firstBlock) + BigInt(at / GUEST_BLOCK);
    for (let round = 1n; round <= 4n; round += 1n) {
      const key = mix((index * 4n + round) * 0x9e3779b97f4a7c15n);
      [low, high] = [high, low ^ mix(high + key)];
    }
    sum += (high << BITS) | low;
  }
  return BigInt.asUintN(128, sum);
}

function digestOf(disk: Uint8Array, offset = 0): bigint {
  const digest = new GuestDigest();
  digest.add(disk, offset);
  return digest.value();
}

/** A disk of blocks of noise and blocks of zeros, with a ragged end. */
const disk = noise(9 * GUEST_BLOCK + 12_345, 11);
disk.fill(0, 2 * GUEST_BLOCK, 4 * GUEST_BLOCK);

describe.each(["simd", "plain"] as const)("%s kernels", (form) => {
  beforeAll(() => useKernels(form));

  test("known disks have known digests", () => {
    expect(formatGuestDigest(digestOf(Buffer.alloc(GUEST_BLOCK)))).toBe(`xxh3sum:${"0".repeat(32)}`);
    expect(formatGuestDigest(digestOf(Buffer.from("diskferry")))).toBe(
      "xxh3sum:ede142a5cf98e9de68f84f8da40b98ce",
    );
    expect(formatGuestDigest(digestOf(Buffer.from("diskferry"), 2 ** 44))).toBe(
      "xxh3sum:03e8660367ab381291696087bfd95ec9",
    );
  });

  test("equals the definition", async () => {
    expect(digestOf(disk)).toBe(await reference(disk));
  });

  test("equals the definition for block numbers beyond 32 bits", async () => {
    const firstBlock = 2 ** 36 + 5;
    expect(digestOf(disk, firstBlock * GUEST_BLOCK)).toBe(await reference(disk, firstBlock));
  });

  test("does not depend on the order or the size of the runs", () => {
    const blocks = Math.ceil(disk.length / GUEST_BLOCK);
    const cuts = fc.uniqueArray(fc.integer({ min: 1, max: blocks - 1 }));
    fc.assert(
      fc.property(cuts, fc.infiniteStream(fc.nat()), (inner, ranks) => {
        const edges = [0, ...inner.toSorted((a, b) => a - b), blocks];
        const runs = edges.slice(1).map((end, index) => ({
          start: (edges[index] as number) * GUEST_BLOCK,
          end: end * GUEST_BLOCK,
          rank: ranks.next().value as number,
        }));
        const digest = new GuestDigest();
        for (const { start, end } of runs.toSorted((a, b) => a.rank - b.rank)) {
          digest.add(disk.subarray(start, end), start);
        }
        expect(digest.value()).toBe(digestOf(disk));
      }),
      { numRuns: 50 },
    );
  });

  test("the digests of segments add up to that of the disk", () => {
    const cut = 5 * GUEST_BLOCK;
    const sum = combineGuest(digestOf(disk.subarray(cut), cut), digestOf(disk.subarray(0, cut)));
    expect(sum).toBe(digestOf(disk));
  });

  test("zeros behind the disk change nothing, at whatever length", () => {
    for (const zeros of [1, 4096, GUEST_BLOCK, 3 * GUEST_BLOCK + 7]) {
      expect(digestOf(Buffer.concat([disk, Buffer.alloc(zeros)]))).toBe(digestOf(disk));
    }
  });

  test("a single flipped bit anywhere changes the digest", () => {
    const whole = digestOf(disk);
    fc.assert(
      fc.property(fc.nat(disk.length - 1), fc.nat(7), (at, bit) => {
        const changed = Buffer.from(disk);
        changed[at] = (changed[at] as number) ^ (1 << bit);
        expect(digestOf(changed)).not.toBe(whole);
      }),
      { numRuns: 200 },
    );
  });

  test("a block at another place, a block twice and two blocks swapped are told apart", () => {
    const [a, b, z] = [noise(GUEST_BLOCK, 1), noise(GUEST_BLOCK, 2), Buffer.alloc(GUEST_BLOCK)];
    const disks = [[a], [z, a], [b, a], [a, b], [a, a], [a, a, a], [b], [z, b], [a, b, b]];
    const digests = disks.map((blocks) => digestOf(Buffer.concat(blocks)));
    expect(new Set(digests).size).toBe(disks.length);
  });

  test("two digests of one thread do not share their sums", () => {
    const one = new GuestDigest();
    const two = new GuestDigest();
    one.add(disk.subarray(0, GUEST_BLOCK), 0);
    two.add(disk, 0);
    one.add(disk.subarray(GUEST_BLOCK), GUEST_BLOCK);
    expect(one.value()).toBe(two.value());
  });

  test("an offset inside a block is refused", () => {
    expect(() => new GuestDigest().add(disk, 512)).toThrow(/offset 512 is no multiple of 65536/);
    expect(() => new GuestDigest().add(disk, -GUEST_BLOCK)).toThrow(/no multiple/);
  });
});

test("a sum that passes 2^128 stays below it", () => {
  const top = (1n << 128n) - 1n;
  expect(combineGuest(top, 2n)).toBe(1n);
  expect(combineGuest(top, 0n)).toBe(top);
});

test("hex has 32 digits and comes back", () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: (1n << 128n) - 1n }), (value) => {
      expect(guestHex(value)).toMatch(/^[0-9a-f]{32}$/);
      expect(guestFromHex(guestHex(value))).toBe(value);
    }),
  );
  expect(() => guestFromHex("xyz")).toThrow(/no guest digest/);
});
