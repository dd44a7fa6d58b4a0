import { expect, it } from "vitest";
import type { Range } from "../../src/bytes/range.ts";
import { KiB, MiB } from "../../src/bytes/units.ts";
import type { Piece } from "../../src/format/format.ts";
import type { Source } from "../../src/source/source.ts";
import { ReadAhead } from "../../src/transfer/read-ahead.ts";

/** Notes what is asked for. */
function listener(): { readonly source: Source; readonly asked: Range[] } {
  const asked: Range[] = [];
  const source: Source = {
    name: "listener",
    size: 1024 * MiB,
    version: "1",
    read: () => Promise.reject(new Error("nothing is read here")),
    recipe: () => Promise.reject(new Error("not opened anywhere else")),
    check: async () => {},
    prefetch: (range) => asked.push(range),
    [Symbol.asyncDispose]: async () => {},
  };
  return { source, asked };
}

const data = (offset: number, length: number, source = 0): Piece => ({
  kind: "data",
  offset,
  length,
  source,
});

it("asks in the order of the source, with near neighbours joined", () => {
  const { source, asked } = listener();
  const pieces = [data(3 * MiB, 64 * KiB), data(MiB, 64 * KiB), data(MiB + 128 * KiB, 64 * KiB)];
  new ReadAhead(pieces, [source]).at(0);
  expect(asked).toEqual([
    { offset: MiB, length: 192 * KiB },
    { offset: 3 * MiB, length: 64 * KiB },
  ]);
});

it("asks for all of a large piece, no further ahead than it says", () => {
  const { source, asked } = listener();
  const ahead = new ReadAhead([data(5 * MiB, 100 * MiB)], [source]);
  for (let at = 0; at < 100 * MiB; at += MiB) {
    ahead.at(at);
    const last = asked.at(-1);
    expect((last?.offset ?? 0) + (last?.length ?? 0) - 5 * MiB).toBeLessThanOrEqual(at + 32 * MiB);
    expect((last?.offset ?? 0) + (last?.length ?? 0) - 5 * MiB).toBeGreaterThan(at);
  }
  let end = 5 * MiB;
  for (const { offset, length } of asked) {
    expect(offset).toBe(end);
    end += length;
  }
  expect(end).toBe(105 * MiB);
});

it("asks each source for its own, and for no zeros", () => {
  const [first, second] = [listener(), listener()];
  const coded: Piece = {
    kind: "coded",
    offset: 7 * MiB,
    size: 1000,
    length: 64 * KiB,
    source: 1,
    codec: "deflate",
    unit: 64 * KiB,
    skip: 0,
  };
  new ReadAhead([data(0, 4096), { kind: "zero", length: MiB }, coded], [first.source, second.source]).at(0);
  expect(first.asked).toEqual([{ offset: 0, length: 4096 }]);
  expect(second.asked).toEqual([{ offset: 7 * MiB, length: 1000 }]);
});

it("stays silent where no source listens", () => {
  const { source } = listener();
  const { prefetch: _none, ...deaf } = source;
  expect(() => new ReadAhead([data(0, 4096)], [deaf]).at(0)).not.toThrow();
});
