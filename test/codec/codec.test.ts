import { constants, deflateRawSync, deflateSync, zstdCompressSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { codecHelpers, decodeUnit, type UnitCodec, unitCodec } from "../../src/codec/codec.ts";
import { libdeflateDeflate } from "../../src/codec/deflate.ts";
import { Fault } from "../../src/fault/fault.ts";
import { type Libdeflate, libdeflate } from "../../src/native/libdeflate.ts";
import { libzstd } from "../../src/native/libzstd.ts";
import { noise } from "../digest/noise.ts";

const UNIT = 65_536;
const FLUSH = { finishFlush: constants.Z_SYNC_FLUSH } as const;

/** Half text-like, half noise: long and short matches, literals, distances up to the whole unit. */
function sample(seed: number, length = UNIT): Buffer {
  const bytes = noise(length, seed);
  for (let at = 0; at < length / 2; at += 1) bytes[at] = 97 + ((bytes[at] as number) % 7);
  return bytes;
}

/** Decodes into the middle of a larger buffer, and looks that nothing around was touched. */
function decode(codec: UnitCodec, ...[name, coded, length, window]: DecodeInput): Buffer {
  const around = Buffer.alloc(length + 256, 0xa5);
  const into = around.subarray(128, 128 + length);
  try {
    codec.decodeUnit(name, coded, into, "disk.img: offset 4096", window);
  } finally {
    expect(around.subarray(0, 128)).toEqual(Buffer.alloc(128, 0xa5));
    expect(around.subarray(128 + length)).toEqual(Buffer.alloc(128, 0xa5));
  }
  return into;
}

type DecodeInput = [
  name: Parameters<UnitCodec["decodeUnit"]>[0],
  coded: Uint8Array,
  length: number,
  window?: Uint8Array,
];

function fault(work: () => unknown): Fault {
  try {
    work();
  } catch (error) {
    if (error instanceof Fault) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}

const hasNative = libdeflate() !== undefined && libzstd() !== undefined;

describe.each([
  { helpers: "any", skipped: !hasNative },
  { helpers: "built-in", skipped: false },
] as const)("with $helpers helpers", ({ helpers, skipped }) => {
  const named = (name: string) =>
    skipped ? `${name} (skipped: this machine lacks libdeflate or libzstd)` : name;
  const check = test.skipIf(skipped);
  const codec = unitCodec(helpers);

  check.each([1, 3, 6, 9, 12])(named("deflate at level %i comes back"), (level) => {
    for (const length of [1, 512, UNIT, 2 ** 21]) {
      const bytes = sample(level, length);
      expect(decode(codec, "deflate", codec.encodeDeflate(bytes, level), length).equals(bytes)).toBe(true);
    }
  });

  check(named("the units of a segment come back, whichever library coded them"), () => {
    const encode = codec.unitDeflater();
    const units = [sample(1), noise(UNIT, 2), sample(3), Buffer.alloc(UNIT), noise(UNIT, 4), sample(5, 512)];
    for (const bytes of [...units, ...units]) {
      const coded = encode(bytes, 1);
      expect(decode(codec, "deflate", coded, bytes.length).equals(bytes)).toBe(true);
    }
  });

  check(named("any bytes come back through every codec"), () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 1, maxLength: 5000 }),
        fc.integer({ min: 1, max: 9 }),
        (bytes, level) => {
          const { length } = bytes;
          const same = (out: Buffer) => expect(out.equals(bytes)).toBe(true);
          same(decode(codec, "deflate", codec.encodeDeflate(bytes, level), length));
          same(decode(codec, "deflate", codec.encodeDeflateSync(bytes, level), length));
          same(decode(codec, "zlib", deflateSync(bytes, { level }), length));
          same(decode(codec, "zstd", codec.encodeZstd(bytes, level), length));
        },
      ),
    );
  });

  check(named("slack behind the stream is not looked at"), () => {
    const bytes = sample(1);
    for (const slack of [1, 2, 511, 4096]) {
      // Slack of the next cluster may itself look like a stream, or like a sync flush.
      for (const kind of [
        noise(slack, 3),
        Buffer.alloc(slack),
        codec.encodeZstd(sample(2), 1),
        Buffer.from("0000ffff", "hex"),
      ]) {
        const behind = (coded: Uint8Array) => Buffer.concat([coded, kind]);
        expect(decode(codec, "deflate", behind(codec.encodeDeflate(bytes, 6)), UNIT).equals(bytes)).toBe(
          true,
        );
        expect(decode(codec, "zlib", behind(deflateSync(bytes)), UNIT).equals(bytes)).toBe(true);
        expect(decode(codec, "zstd", behind(codec.encodeZstd(bytes, 3)), UNIT).equals(bytes)).toBe(true);
      }
    }
  });

  check(named("a stream cut behind its last byte of content is accepted"), () => {
    const bytes = sample(1);
    const flushed = codec.encodeDeflateSync(bytes, 6);
    expect(Buffer.from(flushed.subarray(-4)).toString("hex")).toBe("0000ffff");
    expect(decode(codec, "deflate", flushed.subarray(0, -4), UNIT).equals(bytes)).toBe(true);
  });

  check(named("a zlib stream that ends in a sync flush has no checksum to ask for"), () => {
    const bytes = sample(4, 2 ** 21);
    expect(decode(codec, "zlib", deflateSync(bytes, FLUSH), bytes.length).equals(bytes)).toBe(true);
    const wrongChecksum = Buffer.from(deflateSync(bytes));
    wrongChecksum[wrongChecksum.length - 1] = (wrongChecksum.at(-1) as number) ^ 1;
    expect(decode(codec, "zlib", wrongChecksum, bytes.length).equals(bytes)).toBe(true);
  });

  check.each(["0000", "7800", "785d", "7820", "8819", "0f", ""])(
    named("the zlib header %s is refused"),
    (header) => {
      const coded = Buffer.concat([Buffer.from(header, "hex"), deflateRawSync(sample(1))]);
      expect(fault(() => decode(codec, "zlib", coded, UNIT)).code).toBe("IMAGE_CORRUPT");
    },
  );

  check(named("windows of 4 KiB, as qemu writes them, are read"), () => {
    const bytes = sample(5);
    const coded = deflateRawSync(bytes, { windowBits: 12, memLevel: 9 });
    expect(decode(codec, "deflate", coded, UNIT).equals(bytes)).toBe(true);
  });

  check(named("a chained stream refers back to the window before it"), () => {
    const history = noise(200_000, 6);
    for (const [length, reach] of [
      [40_000, 30_000],
      [32_768, 32_500],
      [100, 100],
      [0, 0],
    ] as const) {
      const window = history.subarray(history.length - length);
      // Bytes that only the window can yield: the coded form is then far shorter than they are.
      const bytes = Buffer.concat([window.subarray(-reach), sample(7).subarray(reach)]);
      const coded = deflateRawSync(bytes, {
        ...FLUSH,
        ...(length === 0 ? {} : { dictionary: window.subarray(-32_768) }),
      });
      expect(decode(codec, "deflate-chain", coded, UNIT, window).equals(bytes)).toBe(true);
      if (reach > 1000) {
        expect(fault(() => decode(codec, "deflate-chain", coded, UNIT)).code).toBe("IMAGE_CORRUPT");
      }
    }
  });

  check(named("several zstd frames, and skippable ones between them, make one unit"), () => {
    const bytes = sample(8);
    const skippable = Buffer.from("532a4d180500000001020304050", "hex").subarray(0, 8);
    const coded = Buffer.concat([
      zstdCompressSync(bytes.subarray(0, 100)),
      skippable,
      Buffer.from("12345"),
      zstdCompressSync(bytes.subarray(100, 100)),
      zstdCompressSync(bytes.subarray(100), { params: { [constants.ZSTD_c_checksumFlag]: 1 } }),
      noise(700, 1),
    ]);
    expect(decode(codec, "zstd", coded, UNIT).equals(bytes)).toBe(true);
  });

  check(named("another number of bytes than the unit is refused, with the place named"), () => {
    for (const length of [UNIT - 1, UNIT + 1, 10 * UNIT]) {
      const bytes = sample(9, length);
      for (const [name, coded] of [
        ["deflate", codec.encodeDeflate(bytes, 6)],
        ["deflate", codec.encodeDeflateSync(bytes, 6)],
        ["deflate-chain", codec.encodeDeflateSync(bytes, 6)],
        ["zlib", deflateSync(bytes)],
        ["zstd", codec.encodeZstd(bytes, 3)],
      ] as const) {
        const found = fault(() =>
          decode(codec, name, coded, UNIT, name === "deflate-chain" ? sample(1) : undefined),
        );
        expect(found.code, `${name} ${length}`).toBe("IMAGE_CORRUPT");
        expect(found.message).toMatch(/^disk\.img: offset 4096: /);
      }
    }
  });

  check(named("a bomb stops at the unit"), () => {
    const bomb = Buffer.alloc(256 * 2 ** 20);
    const before = process.memoryUsage.rss();
    for (const [name, coded] of [
      ["deflate", deflateRawSync(bomb, { level: 1 })],
      ["zlib", deflateSync(bomb, { level: 1 })],
      ["zstd", zstdCompressSync(bomb)],
    ] as const) {
      expect(fault(() => decode(codec, name, coded, UNIT)).code).toBe("IMAGE_CORRUPT");
    }
    expect(process.memoryUsage.rss() - before).toBeLessThan(bomb.length / 2);
  });

  check(named("a zstd frame that asks for a window of a gigabyte gets no memory for it"), () => {
    // Magic, no content size, window 2^30, one raw block.
    const coded = Buffer.concat([
      Buffer.from("28b52ffd00a0", "hex"),
      Buffer.from([((UNIT << 3) & 255) | 1, (UNIT >> 5) & 255, UNIT >> 13]),
      sample(1),
    ]);
    const before = process.memoryUsage.rss();
    // libzstd decodes in place and needs no window; zlib would make one.
    if (codec.helpers.zstd === "node:zlib") {
      expect(fault(() => decode(codec, "zstd", coded, UNIT)).code).toBe("IMAGE_CORRUPT");
    } else {
      expect(decode(codec, "zstd", coded, UNIT).equals(sample(1))).toBe(true);
    }
    expect(process.memoryUsage.rss() - before).toBeLessThan(100 * 2 ** 20);
  });

  check(named("damaged input is refused or decodes to a unit, and never does worse"), () => {
    const bytes = sample(10, 4096);
    const inputs = [
      ["deflate", codec.encodeDeflate(bytes, 6)],
      ["deflate-chain", codec.encodeDeflateSync(bytes, 6)],
      ["zlib", deflateSync(bytes)],
      ["zstd", codec.encodeZstd(bytes, 3)],
    ] as const;
    fc.assert(
      fc.property(
        fc.constantFrom(...inputs),
        fc.array(fc.tuple(fc.nat(8192), fc.nat(255)), { maxLength: 6 }),
        fc.nat(5000),
        ([name, coded], edits, cut) => {
          const damaged = Buffer.from(coded.subarray(0, cut));
          for (const [at, value] of edits) if (at < damaged.length) damaged[at] = value;
          try {
            decode(codec, name, damaged, bytes.length, name === "deflate-chain" ? bytes : undefined);
          } catch (error) {
            if (!(error instanceof Fault) || error.code !== "IMAGE_CORRUPT") throw error;
          }
        },
      ),
      { numRuns: 1000 },
    );
  });

  check(named("noise alone is refused or decodes to a unit, and never does worse"), () => {
    fc.assert(
      fc.property(
        fc.constantFrom("deflate", "deflate-chain", "zlib", "zstd"),
        fc.uint8Array({ maxLength: 300 }),
        (name, coded) => {
          try {
            decode(codec, name, coded, 512, name === "deflate-chain" ? coded : undefined);
          } catch (error) {
            if (!(error instanceof Fault) || error.code !== "IMAGE_CORRUPT") throw error;
          }
        },
      ),
      { numRuns: 1000 },
    );
  });

  check(named("units coded one after the other keep nothing of each other"), () => {
    for (const length of [UNIT, 512, 2 ** 21, 1]) {
      const bytes = sample(length, length);
      expect(decode(codec, "deflate", codec.encodeDeflate(bytes, 1), length).equals(bytes)).toBe(true);
      expect(decode(codec, "zstd", codec.encodeZstd(bytes, 3), length).equals(bytes)).toBe(true);
    }
  });

  check(named("noise is coded too, to a little more than it was"), () => {
    const bytes = noise(UNIT, 12);
    for (const coded of [
      codec.encodeDeflate(bytes, 6),
      codec.encodeDeflateSync(bytes, 6),
      codec.encodeZstd(bytes, 3),
    ]) {
      expect(coded.length).toBeGreaterThan(UNIT);
      expect(coded.length).toBeLessThan(UNIT + 100);
    }
  });

  check(named("an encoded zstd frame states its content size"), () => {
    const coded = Buffer.from(codec.encodeZstd(sample(1), 3));
    // RFC 8878, section 3.1.1.1: single segment, four bytes of size after the descriptor, or two that lack 256.
    expect(coded[4]).toBe(0x60);
    expect(coded.readUInt16LE(5) + 256).toBe(UNIT);
  });
});

test.skipIf(!hasNative)(
  hasNative
    ? "libdeflate alone decodes sound streams of every shape, zlib is not asked"
    : "libdeflate alone decodes sound streams (skipped: this machine has no libdeflate)",
  () => {
    const library = libdeflate() as Libdeflate;
    const verdicts: boolean[] = [];
    const deflate = libdeflateDeflate({
      ...library,
      inflate(coded, into) {
        const sound = library.inflate(coded, into);
        verdicts.push(sound);
        return sound;
      },
    });
    const bytes = sample(30);
    const window = sample(31);
    const into = new Uint8Array(UNIT);
    for (const [coded, history] of [
      [deflateRawSync(bytes), undefined],
      [Buffer.concat([deflateRawSync(bytes), noise(99, 1)]), undefined],
      [deflateRawSync(bytes, FLUSH), undefined],
      [deflateRawSync(bytes, FLUSH), window],
      [deflateRawSync(bytes, { ...FLUSH, dictionary: window.subarray(-32_768) }), window],
      [deflateRawSync(bytes, { dictionary: window.subarray(-100) }), window.subarray(-100)],
    ] as const) {
      deflate.inflate(coded, into.fill(0), "x", history);
      expect(bytes.equals(into)).toBe(true);
    }
    expect(verdicts).toEqual([true, true, true, true, true, true]);
  },
);

test("what one form codes, the other decodes", () => {
  const bytes = sample(20);
  const [any, builtIn] = [unitCodec("any"), unitCodec("built-in")];
  for (const [from, to] of [
    [any, builtIn],
    [builtIn, any],
  ] as const) {
    expect(decode(to, "deflate", from.encodeDeflate(bytes, 6), UNIT).equals(bytes)).toBe(true);
    expect(decode(to, "deflate", from.encodeDeflateSync(bytes, 6), UNIT).equals(bytes)).toBe(true);
    expect(decode(to, "zstd", from.encodeZstd(bytes, 3), UNIT).equals(bytes)).toBe(true);
  }
});

test("the helpers in use are told by name", () => {
  expect(unitCodec("built-in").helpers).toEqual({ deflate: "node:zlib", zstd: "node:zlib" });
  expect(codecHelpers().deflate).toMatch(libdeflate() === undefined ? /^node:zlib$/ : /^libdeflate \(/);
  expect(codecHelpers().zstd).toMatch(libzstd() === undefined ? /^node:zlib$/ : /^libzstd \(/);
});

test("the plain functions decode like the codec they stand for", () => {
  const bytes = sample(21);
  const into = new Uint8Array(UNIT);
  decodeUnit("deflate", deflateRawSync(bytes), into, "x");
  expect(bytes.equals(into)).toBe(true);
});
