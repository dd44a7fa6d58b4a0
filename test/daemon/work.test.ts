import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { beginWork, type Work } from "../../src/daemon/work.ts";
import { Fault } from "../../src/fault/fault.ts";
import type { Scheduler } from "../../src/schedule/scheduler.ts";
import { type RecordFile, recordFile } from "../record/record-file.ts";

let file: RecordFile;
let work: Work;
/** Schedulers in the order of their start, each with what ends its drain. */
let schedulers: { drained: number; woken: number; readonly end: () => void }[];
/** The next schedulers start only when it says so. */
let starts: Promise<void>;

beforeEach(async () => {
  file = await recordFile();
  schedulers = [];
  starts = Promise.resolve();
  work = await beginWork({
    record: file.record,
    drainMs: 1234,
    start: async (): Promise<Scheduler> => {
      const { promise, resolve } = Promise.withResolvers<void>();
      const own = { drained: 0, woken: 0, end: resolve };
      schedulers.push(own);
      await starts;
      return {
        running: 3,
        wake() {
          own.woken += 1;
        },
        removeOrphans: async () => 0,
        async drain(ms) {
          own.drained = ms;
          await promise;
        },
        async [Symbol.asyncDispose]() {},
      };
    },
  });
});
afterEach(async () => {
  for (const { end } of schedulers) end();
  await work.end();
  await file[Symbol.asyncDispose]();
});

describe("the work of a daemon", () => {
  it("is ready as long as it is not drained", async () => {
    expect(await work.unready()).toBeUndefined();
    expect(await work.drain()).toEqual({ state: "draining", running: 3 });
    expect(await work.unready()).toBe("draining");
    expect(schedulers[0]?.drained).toBe(1234);
  });

  it("is drained once, however often it is asked for, and taken up again by a new scheduler", async () => {
    await work.drain();
    await work.drain();
    const resumed = work.resume();
    schedulers[0]?.end();
    expect(await resumed).toEqual({ state: "working", running: 3 });
    expect(await work.unready()).toBeUndefined();
    expect(schedulers).toHaveLength(2);
    expect((await work.resume()).state).toBe("working");
    expect(schedulers).toHaveLength(2);
  });

  it("wakes the scheduler that works now", async () => {
    await work.drain();
    schedulers[0]?.end();
    await work.resume();
    work.wake();
    expect(schedulers.map(({ woken }) => woken)).toEqual([0, 1]);
  });

  it("is not taken up again once the daemon ends", async () => {
    const ended = work.end();
    schedulers[0]?.end();
    await ended;
    await expect(work.resume()).rejects.toMatchObject({ code: "PRECONDITION" });
    expect(schedulers).toHaveLength(1);
  });

  it("is taken up by one scheduler, however many ask at once", async () => {
    await work.drain();
    const resumed = [work.resume(), work.resume(), work.resume()];
    schedulers[0]?.end();
    for (const status of await Promise.all(resumed)) expect(status.state).toBe("working");
    expect(schedulers).toHaveLength(2);
  });

  it("is laid down, too, when it ends while it is being taken up", async () => {
    await work.drain();
    schedulers[0]?.end();
    const { promise, resolve } = Promise.withResolvers<void>();
    starts = promise;
    const resumed = work.resume();
    await vi.waitFor(() => expect(schedulers).toHaveLength(2));
    const ended = work.end();
    resolve();
    await resumed;
    await vi.waitFor(() => expect(schedulers[1]?.drained).toBe(1234));
    schedulers[1]?.end();
    await ended;
    expect(schedulers).toHaveLength(2);
  });

  it("rests when a drain is asked for while it is being taken up", async () => {
    await work.drain();
    schedulers[0]?.end();
    const resumed = work.resume();
    await work.drain();
    await resumed;
    await vi.waitFor(() => expect(schedulers[1]?.drained).toBe(1234));
    expect(await work.unready()).toBe("draining");
  });

  it("can be taken up again after that has failed", async () => {
    await work.drain();
    schedulers[0]?.end();
    starts = Promise.reject(new Fault("IO", "record.db: the disk failed"));
    await expect(work.resume()).rejects.toMatchObject({ code: "IO" });
    expect(await work.unready()).toBe("drained");
    starts = Promise.resolve();
    expect((await work.resume()).state).toBe("working");
  });

  it("is not ready while the record fails", async () => {
    file.record.lastEvent = () => Promise.reject(new Fault("NO_SPACE", "record.db: the disk is full"));
    expect(await work.unready()).toBe("record.db: the disk is full");
  });
});
