/** Tasks between buckets of one store, which copies by itself. */
import { writeFileSync } from "node:fs";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { MiB } from "../../src/bytes/units.ts";
import { Fault } from "../../src/fault/fault.ts";
import type { Scheduler } from "../../src/schedule/scheduler.ts";
import type { CopyPart, Destination } from "../../src/store/store.ts";
import { timed } from "../../src/store/timed.ts";
import type { Task } from "../../src/task/task.ts";
import { digestOf, noise } from "../oracle/disk.ts";
import { BUCKET_STORES, type BucketStore } from "./bucket-stores.ts";
import { type Gate, partGate } from "./gate.ts";
import { copyOf, exportOf, type Harbour, harbour, importOf, never } from "./harbour.ts";
import { holdEvent } from "./hold-event.ts";
import { mortal } from "./mortal.ts";

/** The smallest part that S3 takes. */
const PART = 5 * MiB;
const disk = noise(8 * PART);
const PARTS = disk.length / PART;

/** D2: progress when so many parts have landed. */
const after = (parts: number): number => 10 + Math.floor((85 * parts) / PARTS);

const TURNS = 6;
const BUCKETS = Array.from({ length: TURNS }, (_, turn) =>
  ["east", "west", "quay"].map((name) => `${name}-${turn + 1}`),
);

describe.each(BUCKET_STORES)("tasks between buckets of %s", (_title, available, startStore) => {
  describe.skipIf(!available)("which is on loopback", () => {
    let store: BucketStore;
    let quay: Harbour;
    let gate: Gate;
    let turn = 0;
    const bucket = (name: string): string => `${name}-${turn}`;
    const held = (name: string): Promise<readonly string[]> => store.held(bucket(name));

    beforeAll(async () => {
      store = await startStore(BUCKETS.flat());
    });
    afterAll(async () => {
      await store?.[Symbol.asyncDispose]();
    });
    beforeEach(async () => {
      turn += 1;
      gate = partGate(Number.POSITIVE_INFINITY);
      quay = await harbour();
      quay.places = {
        ...quay.places,
        destination: async ({ name }, object, signal) =>
          gate.before(inSmallParts(await store.destination(bucket(name), object, signal))),
        source: ({ name }, object, signal) => store.source(bucket(name), object, signal),
      };
      writeFileSync(quay.path("yard", "disk.raw"), disk);
    });
    afterEach(async () => {
      await quay[Symbol.asyncDispose]();
    });

    async function imported(): Promise<Scheduler> {
      const scheduler = await quay.start();
      const { id } = await quay.accept(importOf(["disk.raw"], "east-a"));
      expect((await quay.ended(id)).state).toBe("succeeded");
      return scheduler;
    }

    async function expectDisk(name: string, key: string): Promise<void> {
      await using source = await store.source(bucket(name), key, never);
      const bytes = Buffer.alloc(source.size);
      await source.read(bytes, 0, never);
      expect(bytes.equals(disk)).toBe(true);
    }

    /** A copy of which so many parts have landed, and the next one waits. */
    async function copyHeldAfter(parts: number): Promise<Task> {
      gate = partGate(parts);
      const { id } = await quay.accept(copyOf("east-a", "west-b", "raw"));
      return quay.until(id, ({ progress }) => progress >= after(parts));
    }

    it("import, copy and export an image, each read back, and the copy sends nothing", async () => {
      await imported();
      const copy = await quay.accept(copyOf("east-a", "west-b", "raw"));
      const copied = await quay.ended(copy.id);
      expect([copied.state, copied.failure]).toEqual(["succeeded", undefined]);
      expect(copied).toMatchObject({
        bytes: { sent: 0, committed: disk.length },
        // Known of the image.
        result: { objects: [{ size: disk.length, guestDigest: digestOf(disk) }] },
      });
      await expectDisk("west", "west-b-0");
      const out = exportOf("east-a", ["out.qcow2"], { format: "qcow2", verify: "read back" });
      expect((await quay.ended((await quay.accept(out)).id)).result?.objects).toMatchObject([
        { format: "qcow2", guestDigest: digestOf(disk), verified: "read back" },
      ]);
      const all = await Promise.all(["east", "west", "quay"].map(held));
      expect(all).toEqual([["east-a-0"], ["west-b-0"], ["out.qcow2"]]);
    });

    it("go on with an import after the daemon's death, and send no part twice", async () => {
      const { kill } = mortal(quay);
      const scheduler = await quay.start();
      gate = partGate(3);
      const { id } = await quay.accept(importOf(["disk.raw"], "east-a"));
      await quay.until(id, ({ progress }) => progress >= after(3));
      await kill(scheduler);
      gate = partGate(Number.POSITIVE_INFINITY);
      await quay.start();
      expect(await quay.ended(id)).toMatchObject({ state: "succeeded", attempts: 2 });
      await expectDisk("east", "east-a-0");
      expect(gate.passed).toBe(PARTS - 3);
      expect(await held("east")).toEqual(["east-a-0"]);
    });

    it("go on with a copy after the daemon's death, and copy no part twice", async () => {
      await (await imported()).drain(60_000);
      const { kill } = mortal(quay);
      const scheduler = await quay.start();
      const { id } = await copyHeldAfter(3);
      await gate.waiting(1);
      await kill(scheduler);
      expect(await held("west")).toEqual(["west-b-0 (unfinished)"]);
      gate = partGate(Number.POSITIVE_INFINITY);
      await quay.start();
      expect(await quay.ended(id)).toMatchObject({ state: "succeeded", attempts: 2, bytes: { sent: 0 } });
      expect(gate.passed).toBe(PARTS - 3);
      await expectDisk("west", "west-b-0");
      expect(await held("west")).toEqual(["west-b-0"]);
    });

    it("find a copy that was published before the daemon's death, and copy nothing", async () => {
      await (await imported()).drain(60_000);
      const real = quay.record;
      const event = holdEvent(real, "cataloguing", never);
      quay.record = event.record;
      const scheduler = await quay.start();
      const { id } = await quay.accept(copyOf("east-a", "west-b", "raw"));
      await event.reached;
      quay.record = { ...real, apply: () => Promise.reject(new Fault("IO", "the daemon is dead")) };
      const drained = scheduler.drain(0);
      // The event of a dead daemon never arrives: the task is given back before the record could take it.
      await real.recover("host-1", Date.now());
      event.release();
      await drained;
      quay.record = real;
      gate = partGate(0);
      await quay.start();
      expect(await quay.ended(id)).toMatchObject({ state: "succeeded", attempts: 2 });
      expect(gate.passed).toBe(0);
      await expectDisk("west", "west-b-0");
    });

    it("leave nothing of a copy that is cancelled, and stop it at its line (FJ-30)", async () => {
      await imported();
      const { id } = await copyHeldAfter(3);
      expect((await quay.cancel(id)).cancel?.stopAt).toBe(70);
      gate.allow(Number.POSITIVE_INFINITY);
      expect(await quay.ended(id)).toMatchObject({ state: "canceled", progress: 70 });
      expect([await held("west"), await held("east")]).toEqual([[], ["east-a-0"]]);
    });

    it("leave nothing of a copy that is cancelled between a death and the next start", async () => {
      await (await imported()).drain(60_000);
      const { kill } = mortal(quay);
      const scheduler = await quay.start();
      const { id } = await copyHeldAfter(3);
      await kill(scheduler);
      await quay.cancel(id);
      gate.allow(Number.POSITIVE_INFINITY);
      const next = await quay.start();
      expect((await quay.ended(id)).state).toBe("canceled");
      await next.drain(60_000);
      expect([await held("west"), quay.files("state")]).toEqual([[], []]);
    });
  });
});

/** As a store shows itself whose objects are larger: each is sent and copied in several parts. */
function inSmallParts(destination: Destination): Destination {
  const { copyParts, ...rest } = timed(destination, () => {}, Date.now);
  return {
    ...rest,
    limits: { ...destination.limits, preferredPart: PART, zeroPart: PART },
    copyParts: async (source, signal) => (await copyParts?.(source, signal))?.flatMap(cut),
  };
}

function cut({ offset, length, from }: CopyPart): readonly CopyPart[] {
  return Array.from({ length: Math.ceil(length / PART) }, (_, nth) => ({
    offset: offset + nth * PART,
    length: Math.min(PART, length - nth * PART),
    from: { ...from, offset: from.offset + nth * PART },
  }));
}
