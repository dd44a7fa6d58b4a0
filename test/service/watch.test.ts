import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { RecordedEvent } from "../../src/record/event.ts";
import { EventFeed } from "../../src/service/feed.ts";
import { accepted, addRegions, applied, exportTask, recordFile } from "../record/record-file.ts";
import { NOW } from "../task/tasks.ts";
import { ANN, BOB, EXPORT, never, ROOT, type World, world } from "./world.ts";

let here: World;
beforeEach(async () => {
  here = await world();
});
afterEach(() => here[Symbol.asyncDispose]());

/** The first events of a watch, as many as are asked for. */
async function first(count: number, events: AsyncIterable<RecordedEvent>): Promise<RecordedEvent[]> {
  const seen: RecordedEvent[] = [];
  if (count === 0) return seen;
  for await (const event of events) {
    seen.push(event);
    if (seen.length === count) break;
  }
  return seen;
}

const numbers = (events: readonly RecordedEvent[]) => events.map(({ sequence }) => sequence);
const add = async (count: number, project = "p1") => {
  for (let made = 0; made < count; made += 1) await accepted(here.file.record, exportTask({ project }));
};
const upTo = (count: number) => Array.from({ length: count }, (_, index) => index + 1);

describe("watching", () => {
  it("replays from a number, then goes on live", async () => {
    await add(3);
    const watched = first(4, here.service.watch(ANN, { after: 1 }, never));
    await add(2);
    expect(numbers(await watched)).toEqual([2, 3, 4, 5]);
  });

  it("begins with what is new when no number is given", async () => {
    await add(3);
    const events = here.service.watch(ANN, {}, never)[Symbol.asyncIterator]();
    const next = events.next();
    await here.file.record.lastEvent();
    await add(1);
    expect((await next).value?.sequence).toBe(4);
  });

  it("shows each caller the events of his project, and admins those that they ask for", async () => {
    await add(2, "p2");
    await add(2);
    expect(numbers(await first(2, here.service.watch(ANN, { after: 0, project: "p2" }, never)))).toEqual([
      3, 4,
    ]);
    expect(numbers(await first(2, here.service.watch(BOB, { after: 0 }, never)))).toEqual([1, 2]);
    expect(numbers(await first(4, here.service.watch(ROOT, { after: 0 }, never)))).toEqual([1, 2, 3, 4]);
    expect(numbers(await first(2, here.service.watch(ROOT, { after: 0, project: "p1" }, never)))).toEqual([
      3, 4,
    ]);
  });

  it("of one task shows that task alone, from its acceptance to its end", async () => {
    const { task } = await here.service.exportImage(ANN, EXPORT, never);
    await add(1);
    const watched = first(2, here.service.watch(ANN, { after: 0, task: task.id }, never));
    await here.service.cancelTask(ANN, task.id);
    expect((await watched).map(({ event, after }) => [event.kind, after.state])).toEqual([
      ["accepted", "queued"],
      ["cancel-accepted", "canceled"],
    ]);
  });

  it("ends when it is called off, whether it waits or not", async () => {
    const off = new AbortController();
    const events = here.service.watch(ANN, { after: 0 }, off.signal)[Symbol.asyncIterator]();
    const waiting = events.next();
    off.abort();
    expect(await waiting).toEqual({ done: true, value: undefined });
    await add(1);
    expect(await first(1, here.service.watch(ANN, { after: 0 }, off.signal))).toEqual([]);
  });

  it("goes on for others when one of them is called off", async () => {
    const off = new AbortController();
    const one = first(1, here.service.watch(ANN, { after: 0 }, off.signal));
    const other = first(1, here.service.watch(ANN, { after: 0 }, never));
    await here.file.record.lastEvent();
    off.abort();
    expect(await one).toEqual([]);
    await add(1);
    expect(numbers(await other)).toEqual([1]);
  });

  it("goes on past events that are forgotten", async () => {
    const watched = first(2, here.service.watch(ANN, { after: 0 }, never));
    const ended = await accepted(here.file.record, exportTask());
    await applied(here.file.record, ended.id, { kind: "cancel-accepted" });
    expect(numbers(await watched)).toEqual([1, 2]);
    const long = { endedBefore: NOW + 1, tokensBefore: NOW, auditsBefore: 0, most: 9 };
    await here.file.record.forget(long);
    const later = first(1, here.service.watch(ANN, { after: 0 }, never));
    await add(1);
    expect(numbers(await later)).toEqual([3]);
  });

  it("is for two hundred at once, each with every event, once and in order", async () => {
    await add(50);
    const watchers = upTo(200).map((number) =>
      first(250 - (number % 50), here.service.watch(ANN, { after: number % 50 }, never)),
    );
    for (let round = 0; round < 20; round += 1) {
      await Promise.all(upTo(10).map(() => accepted(here.file.record, exportTask())));
    }
    for (const [index, watched] of watchers.entries()) {
      const after = (index + 1) % 50;
      expect(numbers(await watched)).toEqual(upTo(250).slice(after));
    }
  });

  it("ends when it is called off while it is behind what is kept at hand", async () => {
    const off = new AbortController();
    const feed = new EventFeed(here.file.record, 2);
    const slow = feed.watch(0, {}, off.signal);
    const quick = feed.watch(0, {}, never);
    await add(1);
    for (const events of [slow, quick]) expect((await events.next()).value?.sequence).toBe(1);
    for (let sequence = 2; sequence < 12; sequence += 1) {
      const next = quick.next();
      await add(1);
      expect((await next).value?.sequence).toBe(sequence);
    }
    // In the middle of what it catches up with.
    expect((await slow.next()).value?.sequence).toBe(2);
    off.abort();
    expect((await slow.next()).done).toBe(true);
  });

  it("lets a slow watcher catch up, however often it falls behind what is kept at hand", async () => {
    const feed = new EventFeed(here.file.record, 2);
    const slow = feed.watch(0, {}, never);
    const quick = feed.watch(0, {}, never);
    const take = async (events: AsyncIterator<RecordedEvent>, count: number) => {
      const taken: number[] = [];
      while (taken.length < count) taken.push((await events.next()).value?.sequence);
      return taken;
    };
    const seen: number[] = [];
    for (let round = 0; round < 4; round += 1) {
      await add(10);
      expect(await take(quick, 10)).toEqual(upTo(10).map((number) => number + round * 10));
      // Each pause is in the middle of what was read from the record.
      seen.push(...(await take(slow, 4)));
    }
    seen.push(...(await take(slow, 24)));
    expect(seen).toEqual(upTo(40));
  });
});

it("whenever watchers come, pause and go, none misses an event or sees one twice", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.constantFrom("add", "watch", "take"), fc.nat(9)), { maxLength: 40 }),
      async (moves) => {
        await using file = await recordFile();
        await addRegions(file.record, "east");
        // So few at hand that whoever pauses falls behind.
        const feed = new EventFeed(file.record, 3);
        const off = new AbortController();
        let total = 0;
        const watchers: { readonly events: AsyncIterator<RecordedEvent>; seen: number }[] = [];
        for (const [move, number] of moves) {
          if (move === "add") {
            await Promise.all(upTo(number).map(() => accepted(file.record, exportTask())));
            total += number;
          }
          if (move === "watch") {
            const seen = Math.min(number, total);
            watchers.push({ events: feed.watch(seen, {}, off.signal), seen });
          }
          const watcher = watchers[number % Math.max(watchers.length, 1)];
          const until = move === "take" && watcher !== undefined ? Math.min(total, watcher.seen + number) : 0;
          while (watcher !== undefined && watcher.seen < until) {
            watcher.seen += 1;
            expect((await watcher.events.next()).value?.sequence).toBe(watcher.seen);
          }
        }
        off.abort();
        for (const { events } of watchers) expect((await events.next()).done).toBe(true);
      },
    ),
    { numRuns: 50 },
  );
});
