/** An import whose request says what the stored bytes are. */
import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { MiB } from "../../src/bytes/units.ts";
import type { ImportSpec } from "../../src/task/spec.ts";
import { noise } from "../oracle/disk.ts";
import { type Harbour, harbour, importOf } from "./harbour.ts";

// Larger than what is read at once, and no multiple of it.
const disk = noise(17 * MiB + 512);
const SHA1 = createHash("sha1").update(disk).digest("hex");

let quay: Harbour;
beforeEach(async () => {
  quay = await harbour();
  writeFileSync(quay.path("yard", "disk.raw"), disk);
  await quay.start();
});
afterEach(() => quay[Symbol.asyncDispose]());

function importWith(sha1: string): ImportSpec {
  const { disks, ...spec } = importOf(["disk.raw"], "east-a");
  return { ...spec, disks: disks.map((one) => ({ ...one, sha1 })) };
}

describe("an import with the SHA-1 of its file", () => {
  it("succeeds when that is what is there", async () => {
    const { id } = await quay.accept(importWith(SHA1));
    expect(await quay.ended(id)).toMatchObject({ state: "succeeded" });
  });

  it("fails when it is not, at once and for good, and leaves nothing", async () => {
    const { id } = await quay.accept(importWith("0".repeat(40)));
    expect(await quay.ended(id)).toMatchObject({
      state: "failed",
      attempts: 1,
      failure: { code: "FORMAT_MISMATCH", message: expect.stringContaining(SHA1) },
    });
    expect(quay.files("east")).toEqual([]);
  });
});
