import { expect, test } from "vitest";
import { RecordTable } from "../../../src/format/zvhd/record-table.ts";

test("a table keeps every record while it grows, and finds each by its block", () => {
  const table = new RecordTable();
  const record = (i: number) => ({ block: i * 3, offset: (i + 1) * 4096 + i * 8192, length: i + 1 });
  for (let i = 0; i < 5000; i += 1) table.add(record(i));
  expect(table.count).toBe(5000);
  for (let i = 0; i < 5000; i += 1) {
    expect(table.get(i)).toEqual(record(i));
    expect(table.lowerBound(i * 3)).toBe(i);
    expect(table.lowerBound(i * 3 + 1)).toBe(i + 1);
  }
  expect(table.block(4999)).toBe(14_997);
  expect(table.block(5000)).toBe(Number.POSITIVE_INFINITY);
});

test("the farthest place of a file that the table can hold is exact", () => {
  const table = new RecordTable();
  const offset = (2 ** 32 - 1) * 4096;
  table.add({ block: 2 ** 24, offset, length: 4096 });
  expect(table.get(0)).toEqual({ block: 2 ** 24, offset, length: 4096 });
});
