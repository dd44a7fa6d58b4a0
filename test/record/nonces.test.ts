import { afterEach, beforeEach, expect, it } from "vitest";
import { NOW } from "../task/tasks.ts";
import { type RecordFile, recordFile } from "./record-file.ts";

let file: RecordFile;
beforeEach(async () => {
  file = await recordFile();
});
afterEach(() => file[Symbol.asyncDispose]());

const seen = (nonce: string, at = NOW, key = "k") => ({ key, nonce, at });
const nonces = async (since: number) => (await file.record.nonces(since)).map(({ nonce }) => nonce).sort();

it("signed requests are remembered, by key, also after the file was closed", async () => {
  await file.record.keepNonce(seen("a"), 0);
  await file.record.keepNonce(seen("a", NOW + 1, "other"), 0);
  await file.reopen();
  expect(await file.record.nonces(NOW)).toEqual([seen("a"), seen("a", NOW + 1, "other")]);
  expect(await nonces(NOW + 1)).toEqual(["a"]);
  expect(await nonces(NOW + 2)).toEqual([]);
});

it("those that are old are forgotten, faster than new ones come", async () => {
  for (let n = 0; n < 8; n += 1) await file.record.keepNonce(seen(`old-${n}`, NOW - 1000 + n), 0);
  for (let n = 0; n < 2; n += 1) await file.record.keepNonce(seen(`new-${n}`), NOW - 1);
  expect(await nonces(0)).toEqual(["new-0", "new-1"]);
});
