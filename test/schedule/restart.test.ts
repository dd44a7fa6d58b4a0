/** What a task comes to when its daemon ends in its midst, in good order or not, and another begins. */
import { readFileSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Fault } from "../../src/fault/fault.ts";
import type { Destination } from "../../src/store/store.ts";
import { digestOf, noise } from "../oracle/disk.ts";
import { type Gate, partGate } from "./gate.ts";
import { copyOf, exportOf, type Harbour, harbour, never, PART } from "./harbour.ts";
import { holdEvent } from "./hold-event.ts";
import { mortal } from "./mortal.ts";

const disk = noise(85 * PART);

let quay: Harbour;
let gate: Gate;

beforeEach(async () => {
  quay = await harbour();
  writeFileSync(quay.path("east", "stored"), disk);
  await quay.stored("east-a", "raw", "stored");
});
afterEach(async () => {
  await quay[Symbol.asyncDispose]();
});

function gated(parts: number): void {
  gate = partGate(parts);
  quay.before = (destination) => gate.before(destination);
}

const landedWell = async (id: string) => {
  expect(await quay.ended(id)).toMatchObject({ state: "succeeded", progress: 100 });
  expect(readFileSync(quay.path("quay", "out.raw")).equals(disk)).toBe(true);
};

/** The task of an export whose object is published when its daemon dies, before the record knows. */
async function publishedThenDead(): Promise<string> {
  gated(Number.POSITIVE_INFINITY);
  const real = quay.record;
  const held = holdEvent(real, "cataloguing", never);
  quay.record = held.record;
  const scheduler = await quay.start();
  const { id } = await quay.accept(exportOf("east-a", ["out.raw"]));
  await held.reached;
  quay.record = { ...real, apply: () => Promise.reject(new Fault("IO", "the daemon is dead")) };
  const drained = scheduler.drain(0);
  // The event of a dead daemon never arrives: it is given back before the record could take it.
  await real.recover("host-1", Date.now());
  held.release();
  await drained;
  quay.record = real;
  return id;
}

describe("a daemon that is drained", () => {
  it("starts nothing, lets the parts under way land, and queues the task again (FJ-33)", async () => {
    gated(30);
    const scheduler = await quay.start();
    const { id } = await quay.accept(exportOf("east-a", ["out.raw"]));
    await quay.until(id, ({ progress }) => progress === 40);
    await gate.waiting(1);
    const drained = scheduler.drain(60_000);
    gate.allow(1);
    await gate.waiting(1).catch(() => {});
    gate.allow(Number.POSITIVE_INFINITY);
    await drained;
    const parked = await quay.record.task(id);
    expect(parked).toMatchObject({ state: "queued", stage: "waiting", attempts: 1 });
    expect(parked?.setback).toBeUndefined();
    const landed = gate.passed;
    expect(landed).toBeLessThan(45);
    expect(await quay.record.slotsInUse()).toEqual([]);

    gated(Number.POSITIVE_INFINITY);
    await quay.start();
    await landedWell(id);
    expect(gate.passed).toBe(85 - landed);
    const percents = (await quay.events(id)).map(({ after }) => after.progress);
    expect(percents).toEqual(percents.toSorted((a, b) => a - b));
  });

  it("ends what does not end by itself when the deadline is over", async () => {
    gated(5);
    const scheduler = await quay.start();
    const { id } = await quay.accept(exportOf("east-a", ["out.raw"]));
    await quay.until(id, ({ progress }) => progress === 15);
    await gate.waiting(1);
    await scheduler.drain(0);
    expect(await quay.record.task(id)).toMatchObject({ state: "queued", progress: 15 });
    gated(Number.POSITIVE_INFINITY);
    await quay.start();
    await landedWell(id);
    expect(gate.passed).toBe(80);
  });

  it("leaves a task cancelling that is on its way to its line; the next one brings it there", async () => {
    gated(1);
    const scheduler = await quay.start();
    const { id } = await quay.accept(exportOf("east-a", ["out.raw"]));
    await quay.until(id, ({ progress }) => progress === 11);
    await quay.cancel(id);
    await scheduler.drain(0);
    expect(await quay.record.task(id)).toMatchObject({ state: "cancelling", stage: "waiting", progress: 11 });
    gated(Number.POSITIVE_INFINITY);
    const next = await quay.start();
    expect(await quay.ended(id)).toMatchObject({ state: "canceled", progress: 40 });
    await next.drain(60_000);
    expect(quay.files("quay", "state")).toEqual([]);
  });
});

describe("a daemon that is killed", () => {
  it("goes on from the journal, and sends no part twice that has landed", async () => {
    gated(30);
    const { kill } = mortal(quay);
    const scheduler = await quay.start();
    const { id } = await quay.accept(exportOf("east-a", ["out.raw"]));
    await quay.until(id, ({ progress }) => progress === 40);
    await gate.waiting(1);
    await kill(scheduler);
    expect(await quay.record.task(id)).toMatchObject({ state: "processing", run: { runner: "host-1" } });

    gated(Number.POSITIVE_INFINITY);
    await quay.start();
    await landedWell(id);
    expect(gate.passed).toBe(55);
  });

  it("between the publishing and the record's knowing finds the object, and sends nothing", async () => {
    const id = await publishedThenDead();
    const { ino } = statSync(quay.path("quay", "out.raw"));
    expect(await quay.record.task(id)).toMatchObject({ state: "queued", progress: 97 });
    await expect(quay.cancel(id)).rejects.toThrow("committing");

    gated(0);
    await quay.start();
    await landedWell(id);
    expect([gate.passed, statSync(quay.path("quay", "out.raw")).ino]).toEqual([0, ino]);
    const kinds = (await quay.events(id)).map(({ event }) => event.kind);
    expect(kinds.filter((kind) => kind === "committing").length).toBe(2);
    expect((await quay.record.task(id))?.result?.objects[0]?.guestDigest).toBe(digestOf(disk));
  });

  it("carries a cancel out that was accepted before, without transferring anything", async () => {
    gated(5);
    const scheduler = await quay.start();
    const { id } = await quay.accept(copyOf("east-a", "west-made", "raw"));
    await quay.until(id, ({ progress }) => progress === 15);
    await scheduler.drain(0);
    expect(await quay.cancel(id)).toMatchObject({ state: "cancelling", cancel: { stopAt: 15 } });
    expect(quay.files("west").length).toBe(1);
    gated(Number.POSITIVE_INFINITY);
    const next = await quay.start();
    expect(await quay.ended(id)).toMatchObject({ state: "canceled", progress: 15 });
    await next.drain(60_000);
    expect([quay.files("west", "state"), gate.passed]).toEqual([[], 0]);
    const started = (await quay.events(id))
      .map(({ event }) => event)
      .filter(({ kind }) => kind === "started");
    expect(started.at(-1)).toMatchObject({ slots: [] });
  });
});

describe("a cancel between two runs", () => {
  it("is carried out at once, and cleaned up for again within a minute (FJ-27)", async () => {
    gated(1);
    quay.freeze();
    let refusals = 0;
    quay.before = (destination) => ({
      ...gate.before(destination),
      landed: () => Promise.reject(new Fault("NETWORK", "down")),
      begin: () => Promise.reject(new Fault("THROTTLED", "later", { retryAfterMs: 20 * 60_000 })),
      async removeUnheard() {
        refusals += 1;
        if (refusals < 8) throw new Fault("THROTTLED", "later", { retryAfterMs: 20 * 60_000 });
      },
    });
    const scheduler = await quay.start();
    const { id } = await quay.accept(exportOf("east-a", ["out.raw"]));
    await quay.until(id, ({ setbacks }) => setbacks === 1);
    await quay.cancel(id);
    for (let attempts = 2; attempts < 9; attempts += 1) {
      const { notBefore = 0, times } = await quay.until(
        id,
        (task) => task.attempts === attempts && task.stage === "waiting",
      );
      expect(notBefore - times.changedAt).toBe(60_000);
      quay.later(60_000);
      scheduler.wake();
    }
    expect(await quay.ended(id)).toMatchObject({ state: "canceled", attempts: 9 });
    await scheduler.drain(60_000);
    expect(quay.files("quay", "state")).toEqual([]);
  });
});

describe("a task that a restart finds changed", () => {
  /** The same bytes in another version of the source. */
  const touch = (): void => utimesSync(quay.path("east", "stored"), 1, 1);

  it("begins anew, and leaves nothing of what it had landed", async () => {
    gated(30);
    const scheduler = await quay.start();
    const { id } = await quay.accept(exportOf("east-a", ["out.raw"]));
    await quay.until(id, ({ progress }) => progress === 40);
    await gate.waiting(1);
    await scheduler.drain(0);
    touch();
    gated(Number.POSITIVE_INFINITY);
    const next = await quay.start();
    await landedWell(id);
    expect(gate.passed).toBe(85);
    await next.drain(60_000);
    expect(quay.files("quay", "state")).toEqual(["quay/out.raw"]);
  });

  it("begins anew though its object is published already", async () => {
    const id = await publishedThenDead();
    touch();
    gated(Number.POSITIVE_INFINITY);
    await quay.start();
    await landedWell(id);
    expect(gate.passed).toBe(85);
  });
});

describe("cleaning up after a cancel", () => {
  it("is repeated while it fails, through restarts too, and the task is cancelling until it is done", async () => {
    gated(5);
    let refusals = 0;
    const refusing = (destination: Destination): Destination => ({
      ...gate.before(destination),
      async discard() {
        refusals += 1;
        throw new Fault("STORE_UNAVAILABLE", "down");
      },
    });
    quay.before = refusing;
    const scheduler = await quay.start();
    const { id } = await quay.accept(exportOf("east-a", ["out.raw"]));
    await quay.until(id, ({ progress }) => progress === 15);
    await scheduler.drain(0);
    await quay.cancel(id);
    const second = await quay.start();
    const waiting = await quay.until(id, ({ notBefore }) => notBefore !== undefined);
    expect([waiting.state, refusals, quay.files("quay").length]).toEqual(["cancelling", 1, 1]);
    await second.drain(60_000);

    quay.before = (destination) => destination;
    quay.later(60_000);
    const third = await quay.start();
    expect((await quay.ended(id)).state).toBe("canceled");
    await third.drain(60_000);
    expect(quay.files("quay", "state")).toEqual([]);
  });
});
