/** What becomes of tasks that meet faults: another run later, or an end that leaves nothing behind. */
import { appendFileSync, cpSync, writeFileSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Fault, type FaultCode } from "../../src/fault/fault.ts";
import type { Scheduler } from "../../src/schedule/scheduler.ts";
import { openFile } from "../../src/source/file/file.ts";
import type { Destination } from "../../src/store/store.ts";
import { noise } from "../oracle/disk.ts";
import { partGate } from "./gate.ts";
import { copyOf, exportOf, type Harbour, harbour, importOf, never, PART } from "./harbour.ts";
import { holdEvent } from "./hold-event.ts";

const disk = noise(20 * PART);

let quay: Harbour;
let scheduler: Scheduler;

beforeEach(async () => {
  quay = await harbour();
  writeFileSync(quay.path("east", "stored"), disk);
  await quay.stored("east-a", "raw", "stored");
});
afterEach(async () => {
  await quay[Symbol.asyncDispose]();
});

/** Every destination fails so many times when an upload is to begin. */
function failing(code: FaultCode, times: number): void {
  let left = times;
  quay.before = (destination) => ({
    ...destination,
    async begin(intent, signal) {
      left -= 1;
      if (left >= 0) throw new Fault(code, "the store has failed");
      return destination.begin(intent, signal);
    },
  });
}

async function expectNothingLeft(): Promise<void> {
  await scheduler.drain(60_000);
  expect(quay.files("quay", "west", "north", "state")).toEqual([]);
  expect(quay.files("east")).toEqual(["east/stored"]);
}

describe("an outage", () => {
  it("sends the task back into the queue, to be run again after a while", async () => {
    failing("STORE_UNAVAILABLE", 1);
    scheduler = await quay.start();
    quay.freeze();
    const { id } = await quay.accept(exportOf("east-a", ["out.raw"]));
    const waiting = await quay.until(id, ({ setback }) => setback !== undefined);
    expect(waiting).toMatchObject({
      state: "queued",
      attempts: 1,
      setbacks: 1,
      setback: { stage: "data", code: "STORE_UNAVAILABLE", message: "the store has failed", retryable: true },
    });
    expect((waiting.notBefore ?? 0) - waiting.times.changedAt).toBe(2500);
    quay.later(3000);
    scheduler.wake();
    expect(await quay.ended(id)).toMatchObject({ state: "succeeded", attempts: 2 });
  });

  it("that never ends ends the task, and each wait is longer than the one before, up to a bound", async () => {
    failing("NETWORK", Number.POSITIVE_INFINITY);
    scheduler = await quay.start();
    quay.freeze();
    const { id } = await quay.accept(copyOf("east-a", "west-made", "raw"));
    const waits: number[] = [];
    for (let setbacks = 1; setbacks < 12; setbacks += 1) {
      const { notBefore = 0, times } = await quay.until(id, (task) => task.setbacks === setbacks);
      waits.push(notBefore - times.changedAt);
      quay.later(2_000_000);
      scheduler.wake();
    }
    expect(await quay.ended(id)).toMatchObject({
      state: "failed",
      failure: { code: "NETWORK", retryable: true },
    });
    expect(waits).toEqual(waits.toSorted((a, b) => a - b));
    expect([waits[0], waits.at(-1)]).toEqual([2500, 900_000]);
    expect((await quay.record.catalogue.images.get("west-made"))?.entry.status).toBe("CreateFailed");
    await expectNothingLeft();
  });
});

describe("a task that gets further between two outages", () => {
  it("has only the later one counted against it", async () => {
    const gate = partGate(5);
    const outages = [...Array.from({ length: 11 }, () => "begin"), "resume"];
    const meets = (step: string): void => {
      if (outages[0] !== step) return;
      outages.shift();
      throw new Fault("NETWORK", `down at ${step}`);
    };
    quay.before = (destination) => {
      const gated = gate.before(destination);
      return {
        ...gated,
        async begin(intent, signal) {
          meets("begin");
          return gated.begin(intent, signal);
        },
        async resume(token, intent, signal) {
          meets("resume");
          return gated.resume(token, intent, signal);
        },
      };
    };
    quay.freeze();
    const first = await quay.start();
    const { id } = await quay.accept(exportOf("east-a", ["out.raw"]));
    for (let setbacks = 1; setbacks <= 11; setbacks += 1) {
      await quay.until(id, (task) => task.setbacks === setbacks);
      quay.later(2_000_000);
      first.wake();
    }
    await quay.until(id, ({ bytes }) => bytes.committed > 0);
    await first.drain(0);
    scheduler = await quay.start();
    const waiting = await quay.until(id, ({ setback }) => setback?.message === "down at resume");
    expect(waiting).toMatchObject({ state: "queued", setbacks: 1 });
    gate.allow(Number.POSITIVE_INFINITY);
    quay.later(5_000);
    scheduler.wake();
    expect((await quay.ended(id)).state).toBe("succeeded");
  });
});

describe("a store that asks for patience", () => {
  it.each([
    [1500.25, 2500],
    [4000.5, 4001],
    [1e300, 30 * 60_000],
  ])(
    "after %d ms: the task waits %i, whole milliseconds and within the bound",
    async (retryAfterMs, wait) => {
      quay.before = (destination) => ({
        ...destination,
        begin: () => Promise.reject(new Fault("THROTTLED", "slow down", { retryAfterMs })),
      });
      scheduler = await quay.start();
      quay.freeze();
      const { id } = await quay.accept(exportOf("east-a", ["out.raw"]));
      const { notBefore = 0, times } = await quay.until(id, ({ setback }) => setback !== undefined);
      expect(notBefore - times.changedAt).toBe(wait);
    },
  );
});

describe("a fault that another run would meet again", () => {
  it("ends the task at once: an image that is not what it is said to be", async () => {
    writeFileSync(quay.path("yard", "disk.img"), disk);
    scheduler = await quay.start();
    const disks = [{ source: { kind: "file", root: "yard", path: "disk.img" }, format: "qcow2" }] as const;
    const { id } = await quay.accept(importOf(["disk.img"], "east-made", { disks }));
    expect(await quay.ended(id)).toMatchObject({
      state: "failed",
      attempts: 1,
      failure: { stage: "opening", code: "FORMAT_MISMATCH", retryable: false },
    });
    expect((await quay.record.catalogue.images.get("east-made"))?.entry.status).toBe("CreateFailed");
    await expectNothingLeft();
  });

  it("removes what has landed already: a source that changes", async () => {
    const gate = partGate(5);
    quay.before = (destination) => gate.before(destination);
    scheduler = await quay.start();
    const { id } = await quay.accept(exportOf("east-a", ["out.raw"]));
    await gate.waiting(1);
    expect(quay.files("quay").length).toBe(1);
    appendFileSync(quay.path("east", "stored"), "more");
    gate.allow(Number.POSITIVE_INFINITY);
    expect(await quay.ended(id)).toMatchObject({ state: "failed", failure: { code: "SOURCE_CHANGED" } });
    await expectNothingLeft();
  });

  it("removes an object that is published already and reads otherwise", async () => {
    writeFileSync(quay.path("yard", "other"), noise(20 * PART, 7));
    quay.before = (destination) => ({ ...destination, source: () => openFile(quay.path("yard", "other")) });
    scheduler = await quay.start();
    const { id } = await quay.accept(exportOf("east-a", ["out.raw"], { verify: "read back" }));
    expect(await quay.ended(id)).toMatchObject({
      state: "failed",
      failure: { stage: "verifying", code: "VERIFY_FAILED" },
    });
    await expectNothingLeft();
  });

  it("leaves an object alone that was there before", async () => {
    writeFileSync(quay.path("quay", "out.raw"), "mine");
    scheduler = await quay.start();
    const { id } = await quay.accept(exportOf("east-a", ["out.raw"]));
    expect(await quay.ended(id)).toMatchObject({ state: "failed", failure: { code: "ALREADY_EXISTS" } });
    await scheduler.drain(60_000);
    expect(quay.files("quay", "state")).toEqual(["quay/out.raw"]);
  });
});

describe("what dead tasks have left", () => {
  const stubborn = (destination: Destination): Destination => ({
    ...destination,
    begin: async (intent, signal) => ({
      ...(await destination.begin(intent, signal)),
      target: () => Promise.reject(new Fault("STORE_REFUSED", "no")),
      abort: () => Promise.reject(new Fault("STORE_REFUSED", "no")),
    }),
    discard: () => Promise.reject(new Fault("STORE_REFUSED", "no")),
  });

  it("is noted when it cannot be removed, and removed as soon as it can", async () => {
    quay.before = stubborn;
    scheduler = await quay.start();
    const { id } = await quay.accept(exportOf("east-a", ["out.raw"]));
    expect(await quay.ended(id)).toMatchObject({ state: "failed", failure: { code: "STORE_REFUSED" } });
    expect([quay.files("quay").length, quay.files("state").length]).toEqual([1, 1]);
    expect(await scheduler.removeOrphans(never)).toBe(1);
    quay.before = (destination) => destination;
    expect(await scheduler.removeOrphans(never)).toBe(0);
    await expectNothingLeft();
  });

  it("is removed an hour later, without anybody asking", async () => {
    quay.before = stubborn;
    scheduler = await quay.start();
    const { id } = await quay.accept(exportOf("east-a", ["out.raw"]));
    expect((await quay.ended(id)).state).toBe("failed");
    expect(quay.files("state").length).toBe(1);
    quay.before = (destination) => destination;
    const removed = Promise.withResolvers<void>();
    quay.onNote = (event) => event === "orphan-removed" && removed.resolve();
    quay.later(60 * 60_000);
    scheduler.wake();
    await removed.promise;
    await expectNothingLeft();
  });

  it("is removed when a daemon starts; what unfinished tasks have is not", async () => {
    const gate = partGate(3);
    quay.before = (destination) => gate.before(destination);
    const first = await quay.start();
    const dead = await quay.accept(exportOf("east-a", ["dead.raw"]));
    const alive = await quay.accept(exportOf("east-a", ["alive.raw"]));
    await gate.waiting(2);
    await first.drain(0);
    // As if an earlier daemon had told the record of the end, and been killed before it cleaned up.
    await quay.record.claim({ runner: "host-2", at: Date.now(), most: 1 });
    await quay.record.apply(
      dead.id,
      { kind: "failed", failure: { stage: "data", code: "IO", message: "lost", retryable: false } },
      Date.now(),
    );
    expect(quay.files("state").sort()).toEqual([`state/${dead.id}`, `state/${alive.id}`].sort());
    scheduler = await quay.start({ mostRuns: 0 });
    await scheduler.removeOrphans(never);
    expect(quay.files("state")).toEqual([`state/${alive.id}`]);
    expect(quay.files("quay")).toEqual(["quay/.alive.raw.part"]);
  });

  it("is never an object that is complete, unless its task is known to have failed", async () => {
    const held = holdEvent(quay.record, "cataloguing", never);
    const real = quay.record;
    quay.record = held.record;
    scheduler = await quay.start();
    const { id } = await quay.accept(exportOf("east-a", ["out.raw"]));
    await held.reached;
    // A folder as it stands when a daemon is killed before it could remove it, of a task that nobody knows any more.
    cpSync(quay.path("state", id), quay.path("state", "forgotten"), { recursive: true, filter: unlocked });
    cpSync(quay.path("state", id), quay.path("kept"), { recursive: true, filter: unlocked });
    held.release();
    await quay.ended(id);
    expect(await scheduler.removeOrphans(never)).toBe(0);
    await scheduler.drain(60_000);
    expect([quay.files("quay"), quay.files("state")]).toEqual([["quay/out.raw"], []]);

    quay.record = real;
    const failed = await quay.accept(exportOf("east-a", ["out.raw"]));
    const next = await quay.start();
    expect((await quay.ended(failed.id)).state).toBe("failed");
    cpSync(quay.path("kept"), quay.path("state", failed.id), { recursive: true });
    await next.removeOrphans(never);
    expect([quay.files("quay"), quay.files("state")]).toEqual([[], []]);
  });
});

const unlocked = (path: string): boolean => !path.endsWith(".lock");
