/** Limits of tasks and regions, changed while data moves. A byte a second is as good as never. */
import { writeFileSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Shared } from "../../src/transfer/shared.ts";
import { noise } from "../oracle/disk.ts";
import { partGate } from "./gate.ts";
import { exportOf, type Harbour, harbour, PART } from "./harbour.ts";

let quay: Harbour;
/** What the threads of each transfer share, by the first part that was handed to them. */
let shared: Set<SharedArrayBuffer>;

beforeEach(async () => {
  quay = await harbour();
  shared = new Set();
  const { producer } = quay.ports;
  quay.producer = {
    ...producer,
    produce(job, signal) {
      shared.add(job.shared);
      return producer.produce(job, signal);
    },
  };
  writeFileSync(quay.path("east", "stored"), noise(20 * PART));
  await quay.stored("east-a", "raw", "stored");
});
afterEach(async () => {
  await quay[Symbol.asyncDispose]();
});

const limited = (): boolean[] => [...shared].map((memory) => Number.isFinite(new Shared(memory).step));

async function setRegion(bandwidth: number): Promise<void> {
  const found = await quay.record.catalogue.regions.get("east");
  if (found === undefined) throw new Error("there is no east");
  await quay.record.catalogue.regions.replace({ ...found.entry, bandwidth }, found.version);
}

describe("a limit of bandwidth", () => {
  it("of a task is lifted while it waits", async () => {
    await quay.start();
    const { id } = await quay.accept(exportOf("east-a", ["out.raw"]), { bandwidth: 1 });
    await quay.until(id, ({ stage }) => stage === "data");
    await vi.waitFor(() => expect(limited()).toEqual([true]));
    await quay.record.apply(id, { kind: "limited", bandwidth: 0 }, Date.now());
    expect((await quay.ended(id)).state).toBe("succeeded");
  });

  it("of a task is set while it runs", async () => {
    const gate = partGate(3);
    quay.before = (destination) => gate.before(destination);
    await quay.start();
    const { id } = await quay.accept(exportOf("east-a", ["out.raw"]));
    await gate.waiting(1);
    expect(limited()).toEqual([false]);
    await quay.record.apply(id, { kind: "limited", bandwidth: 1 }, Date.now());
    await vi.waitFor(() => expect(limited()).toEqual([true]));
  });

  it("of a region holds all its runs, those that come later too, until it is lifted", async () => {
    await setRegion(1);
    const scheduler = await quay.start();
    const tasks = [];
    for (const name of ["one", "two"]) tasks.push(await quay.accept(exportOf("east-a", [name])));
    for (const { id } of tasks) await quay.until(id, ({ stage }) => stage === "data");
    await vi.waitFor(() => expect(limited()).toEqual([true, true]));
    await setRegion(0);
    scheduler.wake();
    for (const { id } of tasks) expect((await quay.ended(id)).state).toBe("succeeded");
  });
});
