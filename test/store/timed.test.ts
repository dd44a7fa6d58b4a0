import { describe, expect, it } from "vitest";
import { Fault } from "../../src/fault/fault.ts";
import { memorySource } from "../../src/source/memory/memory.ts";
import { openNull } from "../../src/store/null/null.ts";
import type { Destination } from "../../src/store/store.ts";
import { timed } from "../../src/store/timed.ts";

const never = new AbortController().signal;

/** A destination with a clock that moves a second with each look. */
function watched(destination: Destination) {
  const calls: (readonly [string, string, number])[] = [];
  let now = 0;
  const clock = () => {
    now += 1000;
    return now;
  };
  return { calls, destination: timed(destination, (...call) => calls.push(call), clock) };
}

describe("a timed destination", () => {
  it("does what the one that it wraps does, and tells of each call", async () => {
    const plain = openNull();
    const { calls, destination } = watched(plain);
    expect([destination.name, destination.identity]).toEqual([plain.name, plain.identity]);
    expect(destination.limits).toBe(plain.limits);
    const upload = await destination.begin({ existing: "refuse", size: 4 }, never);
    const target = await upload.target({ number: 1, length: 4 }, never);
    expect(target.kind).toBe("discard");
    const part = { number: 1, length: 4, etag: "", checksums: {}, offset: 0 };
    const landed = await upload.complete([part], {}, never);
    expect(landed).toEqual(
      await (await plain.begin({ existing: "refuse" }, never)).complete([part], {}, never),
    );
    expect(upload.besides).toBe(0);
    expect(calls).toEqual([
      ["begin", "done", 1],
      ["target", "done", 1],
      ["complete", "done", 1],
    ]);
  });

  it("tells of a failure by its code, and throws it on", async () => {
    const fault = new Fault("THROTTLED", "slow down");
    const { calls, destination } = watched({ ...openNull(), begin: () => Promise.reject(fault) });
    await expect(destination.begin({ existing: "refuse" }, never)).rejects.toBe(fault);
    expect(calls).toEqual([["begin", "THROTTLED", 1]]);
  });

  it("has what not every store has only where its store has it", async () => {
    const asked: Date[] = [];
    const with_ = watched({
      ...openNull(),
      async removeUnheard(about) {
        asked.push(about);
      },
    });
    await with_.destination.removeUnheard?.(new Date(5), never);
    expect(asked).toEqual([new Date(5)]);
    expect(watched(openNull()).destination).not.toHaveProperty("removeUnheard");
  });

  it("copies where its store does, and only there", async () => {
    const receipt = { number: 1, length: 4, etag: "e", checksums: {} };
    const plain = openNull();
    const { calls, destination } = watched({
      ...plain,
      copyParts: async () => [],
      begin: async (intent, signal) => ({
        ...(await plain.begin(intent, signal)),
        copy: async () => receipt,
      }),
    });
    const upload = await destination.begin({ existing: "refuse" }, never);
    const from = { container: "c", object: "o", offset: 0, size: 4, etag: "e" };
    expect(await upload.copy?.({ number: 1, offset: 0, length: 4, from }, never)).toBe(receipt);
    expect(await destination.copyParts?.(memorySource(new Uint8Array(4), "m"), never)).toEqual([]);
    expect(calls.map(([operation]) => operation)).toEqual(["begin", "copy", "copyParts"]);
    const other = watched(plain).destination;
    expect(other).not.toHaveProperty("copyParts");
    expect(await other.begin({ existing: "refuse" }, never)).not.toHaveProperty("copy");
  });
});
