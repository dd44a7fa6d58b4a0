/** Objects of deleted images leave their stores, whatever comes between. */
import { writeFileSync } from "node:fs";
import { afterEach, beforeEach, expect, it } from "vitest";
import { Fault } from "../../src/fault/fault.ts";
import { removeUnneeded } from "../../src/schedule/unneeded.ts";
import { type Harbour, harbour, never } from "./harbour.ts";

let quay: Harbour;
beforeEach(async () => {
  quay = await harbour();
  for (const file of ["east-a.raw", "east-a.raw.bak", "east-b.raw"])
    writeFileSync(quay.path("east", file), "disk");
  await quay.stored("east-a", "raw", "east-a.raw");
  await quay.stored("east-b", "raw", "east-b.raw");
});
afterEach(() => quay[Symbol.asyncDispose]());

const remove = (image: string) =>
  quay.record.deleteImage({ image, version: 1, objects: [`${image}.raw`], at: Date.now() });
const noted = () =>
  quay.notes.map(({ event, fields }) => [event, fields["object"], fields["reason"] ?? fields["code"]]);

it("one is removed, and its neighbours stay", async () => {
  await remove("east-a");
  expect(await removeUnneeded(quay.ports, never)).toBe(0);
  expect(quay.files("east").sort()).toEqual(["east/east-a.raw.bak", "east/east-b.raw"]);
  expect(await quay.record.unneeded({ after: 0, limit: 10 })).toEqual([]);
  expect(noted()).toEqual([["object-removed", "east-a.raw", undefined]]);
});

it("one that is gone already counts as removed", async () => {
  await remove("east-a");
  const { places } = quay;
  quay.places = {
    ...places,
    async destination(...asked) {
      const destination = await places.destination(...asked);
      return {
        ...destination,
        async remove(signal) {
          await destination.remove(signal);
          throw new Fault("NETWORK", "the reply is lost");
        },
      };
    },
  };
  expect(await removeUnneeded(quay.ports, never)).toBe(1);
  quay.places = places;
  expect(await removeUnneeded(quay.ports, never)).toBe(0);
  expect(await quay.record.unneeded({ after: 0, limit: 10 })).toEqual([]);
});

it("a store that fails holds up no other object, and is asked again", async () => {
  await remove("east-a");
  await remove("east-b");
  const { places } = quay;
  quay.places = {
    ...places,
    async destination(destination, object, signal) {
      if (object === "east-a.raw") throw new Fault("NETWORK", "the store is not there");
      return places.destination(destination, object, signal);
    },
  };
  expect(await removeUnneeded(quay.ports, never)).toBe(1);
  expect(quay.files("east").sort()).toEqual(["east/east-a.raw", "east/east-a.raw.bak"]);
  quay.places = places;
  expect(await removeUnneeded(quay.ports, never)).toBe(0);
  expect(quay.files("east")).toEqual(["east/east-a.raw.bak"]);
  expect(noted()).toEqual([
    ["object-kept", "east-a.raw", "NETWORK"],
    ["object-removed", "east-b.raw", undefined],
    ["object-removed", "east-a.raw", undefined],
  ]);
});

it("one that diskferry has not made stays, and so does one whose destination nobody knows any more", async () => {
  await remove("east-a");
  quay.before = (destination) => ({ ...destination, remove: async () => "not ours" });
  expect(await removeUnneeded(quay.ports, never)).toBe(0);
  await remove("east-b");
  const { catalogue } = quay.record;
  quay.record = {
    ...quay.record,
    catalogue: { ...catalogue, destinations: { ...catalogue.destinations, get: async () => undefined } },
  };
  expect(await removeUnneeded(quay.ports, never)).toBe(0);
  expect(quay.files("east").length).toBe(3);
  expect(noted()).toEqual([
    ["object-kept", "east-a.raw", "not ours"],
    ["object-kept", "east-b.raw", "out of reach"],
  ]);
});

it("a daemon removes them by itself, those of before its start as well", async () => {
  await remove("east-a");
  const removed = (count: number) =>
    new Promise<void>((resolve) => {
      quay.onNote = () => {
        if (quay.notes.filter(({ event }) => event === "object-removed").length === count) resolve();
      };
    });
  const first = removed(1);
  const scheduler = await quay.start();
  await first;
  const second = removed(2);
  await remove("east-b");
  scheduler.wake();
  await second;
  expect(quay.files("east")).toEqual(["east/east-a.raw.bak"]);
});
