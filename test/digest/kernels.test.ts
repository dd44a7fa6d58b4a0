import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { promisify } from "node:util";
import fc from "fast-check";
import { afterAll, expect, test } from "vitest";
import { crc64, crc64Hex } from "../../src/digest/crc64.ts";
import { formatGuestDigest, GuestDigest } from "../../src/digest/guest-digest.ts";
import { digestKernels, type KernelForm, useKernels } from "../../src/digest/kernels.ts";
import { Md5 } from "../../src/digest/md5-lanes.ts";
import { noise } from "./noise.ts";

const TEXT = "diskferry";
const ONES = (1n << 64n) - 1n;
const SRC = new URL("../../src/digest/", import.meta.url);
/** Imports the digests as a thread does, uses them at once, and says what it has loaded. */
const THREAD = `
  const { createRequire } = await import("node:module");
  const { crc64, crc64Hex } = await import("${SRC}crc64.ts");
  const { formatGuestDigest, GuestDigest } = await import("${SRC}guest-digest.ts");
  const { digestKernels } = await import("${SRC}kernels.ts");
  const { Md5 } = await import("${SRC}md5-lanes.ts");
  const bytes = Buffer.from("${TEXT}");
  const [md5, guest] = [new Md5(), new GuestDigest()];
  md5.update(bytes);
  guest.add(bytes, 0);
  const loaded = Object.keys(createRequire("${SRC}").cache);
  console.log(JSON.stringify({
    form: digestKernels().form,
    hashWasm: loaded.some((file) => file.includes("hash-wasm")),
    md5: md5.digest(),
    crcs: ["crc64xz", "crc64nvme"].map((kind) => crc64Hex(crc64(kind, bytes))),
    guest: formatGuestDigest(guest.value()),
  }));
`;

async function thread(...options: readonly string[]): Promise<unknown> {
  const run = promisify(execFile);
  const { stdout } = await run(process.execPath, [...options, "--input-type=module", "--eval", THREAD]);
  return JSON.parse(stdout);
}

function expected() {
  const bytes = Buffer.from(TEXT);
  const guest = new GuestDigest();
  guest.add(bytes, 0);
  return {
    md5: createHash("md5").update(bytes).digest("hex"),
    crcs: (["crc64xz", "crc64nvme"] as const).map((kind) => crc64Hex(crc64(kind, bytes))),
    guest: formatGuestDigest(guest.value()),
  };
}

afterAll(() => useKernels("simd"));

test("where the engine has SIMD, hash-wasm is not even loaded", async () => {
  expect(await thread()).toEqual({ ...expected(), form: "simd", hashWasm: false });
});

test.skipIf(process.arch !== "x64")(
  "where the engine has no SIMD, the digests are the same (x64 only: other processors always have it)",
  async () => {
    const found = await thread("--no-enable-sse4-1");
    expect(found).toEqual({ ...expected(), form: "plain", hashWasm: true });
  },
);

test("streams that go on in another form end with the same values", async () => {
  const data = noise(300_000, 21);
  const turn = fc.record({
    form: fc.constantFrom<KernelForm[]>("simd", "plain"),
    length: fc.integer({ min: 0, max: 60_000 }),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(turn, { maxLength: 5 }), async (turns) => {
      const md5 = new Md5();
      let register = ONES;
      let at = 0;
      for (const { form, length } of turns) {
        await useKernels(form);
        const bytes = data.subarray(at, at + length);
        md5.update(bytes);
        register = digestKernels().crc64.crc64xz().update(register, bytes);
        at += length;
      }
      const whole = data.subarray(0, at);
      expect(md5.digest()).toBe(createHash("md5").update(whole).digest("hex"));
      expect(register ^ ONES).toBe(crc64("crc64xz", whole));
    }),
    { numRuns: 30 },
  );
});
