import { expect, test } from "vitest";
import type { Deflate } from "../../src/codec/deflate.ts";
import { unitDeflater } from "../../src/codec/unit-deflater.ts";
import type { Libisal } from "../../src/native/libisal.ts";

/** Units say themselves, in their first byte, how much of their ten bytes they keep. */
function coded(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes[0] as number);
}

/** Which library coded each unit of a segment. */
function libraries(kept: readonly number[], level: number, isal?: Libisal["deflate"]): string[] {
  const calls: string[] = [];
  const deflate: Deflate = {
    name: "other",
    inflate() {
      throw new Error("nothing is decoded");
    },
    deflate(bytes, asked) {
      calls.push(`other ${asked}`);
      return coded(bytes);
    },
  };
  const fast: Libisal = {
    name: "isal",
    deflate(bytes, end) {
      calls.push("isal");
      return isal === undefined ? coded(bytes) : isal(bytes, end);
    },
  };
  const encode = unitDeflater(deflate, () => fast);
  for (const size of kept)
    expect(encode(Uint8Array.of(size, ...new Array(9).fill(0)), level).length).toBe(size);
  return calls;
}

test("a unit behind one that keeps more than half of its size is coded by ISA-L", () => {
  expect(libraries([6, 9, 10, 5, 9, 2, 2], 1)).toEqual([
    "other 1",
    "isal",
    "isal",
    "isal",
    "other 1",
    "isal",
    "other 1",
  ]);
});

test("each segment begins anew: its bytes do not depend on which thread coded what before", () => {
  expect([libraries([9], 1), libraries([9], 1)]).toEqual([["other 1"], ["other 1"]]);
});

test("other levels than the first are asked for their smaller size: ISA-L has none", () => {
  expect(libraries([9, 9, 9], 2)).toEqual(["other 2", "other 2", "other 2"]);
  expect(libraries([9, 9], 12)).toEqual(["other 12", "other 12"]);
});

test("where ISA-L fails, the other codes the unit", () => {
  expect(libraries([9, 9], 1, () => undefined)).toEqual(["other 1", "isal", "other 1"]);
});

test("without ISA-L, and while nothing asks for it, the other codes all", () => {
  let asked = 0;
  const deflate = { deflate: coded } as unknown as Deflate;
  const encode = unitDeflater(deflate, () => {
    asked += 1;
    return undefined;
  });
  const unit = (kept: number) => Uint8Array.of(kept, ...new Array(9).fill(0));
  expect(encode(unit(5), 1).length).toBe(5);
  expect(encode(unit(8), 1).length).toBe(8);
  expect(asked).toBe(0);
  expect(encode(unit(8), 1).length).toBe(8);
  expect(asked).toBe(1);
});
