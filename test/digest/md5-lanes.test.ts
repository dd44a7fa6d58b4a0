import { createHash } from "node:crypto";
import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { useKernels } from "../../src/digest/kernels.ts";
import { Md5 } from "../../src/digest/md5-lanes.ts";
import { noise } from "./noise.ts";

const openssl = (bytes: Uint8Array) => createHash("md5").update(bytes).digest("hex");
const LANE_COUNTS = [1, 2, 3, 4, 5, 6, 7, 8, 9, 17];

describe.each(["simd", "plain"] as const)("%s kernels", (form) => {
  beforeAll(() => useKernels(form));

  test.each(LANE_COUNTS)("%i streams side by side equal OpenSSL for every length up to 300", (lanes) => {
    for (let length = 0; length <= 300; length += 1) {
      const inputs = Array.from({ length: lanes }, (_, lane) => noise(length, length * 20 + lane));
      const streams = inputs.map(() => new Md5());
      Md5.update(streams.map((stream, lane) => ({ stream, bytes: inputs[lane] as Buffer })));
      expect(
        streams.map((stream) => stream.digest()),
        `length ${length}`,
      ).toEqual(inputs.map(openssl));
    }
  });

  test("streams of different lengths, cut anywhere and batched in any company, equal OpenSSL", () => {
    const data = noise(400_000, 7);
    const lengths = fc.array(fc.integer({ min: 0, max: 70_000 }), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(fc.array(lengths, { minLength: 1, maxLength: 10 }), (plans) => {
        const lanes = plans.map((cuts, index) => ({
          stream: new Md5(),
          cuts,
          start: index * 1000,
          at: index * 1000,
        }));
        for (let turn = 0; turn < 4; turn += 1) {
          const updates = lanes.flatMap((lane) => {
            const cut = lane.cuts[turn];
            if (cut === undefined) return [];
            const bytes = data.subarray(lane.at, lane.at + cut);
            lane.at += cut;
            return [{ stream: lane.stream, bytes }];
          });
          Md5.update(updates);
        }
        for (const { stream, start, at } of lanes) {
          expect(stream.digest()).toBe(openssl(data.subarray(start, at)));
        }
      }),
      { numRuns: 60 },
    );
  });

  test("lanes do not leak into each other when one is done long before the others", () => {
    const data = noise(300_000, 9);
    const inputs = [10, 64, 128, 5000, 300_000, 17_000, 16_384, 65].map((length) => data.subarray(0, length));
    const streams = inputs.map(() => new Md5());
    Md5.update(streams.map((stream, lane) => ({ stream, bytes: inputs[lane] as Buffer })));
    expect(streams.map((stream) => stream.digest())).toEqual(inputs.map(openssl));
  });
});
