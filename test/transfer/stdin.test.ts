/** A raw stream on standard input, as it lands in a directory. */
import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { Readable } from "node:stream";
import { expect, it } from "vitest";
import { MiB } from "../../src/bytes/units.ts";
import { transferPlace } from "../../src/engine/transfer-place.ts";
import { noise } from "../oracle/disk.ts";
import { makeWorld } from "../support/world.ts";

const world = await makeWorld("stdin");
const never = new AbortController().signal;
const content = noise(3 * MiB);

function stream(unfinished: "resume" | "discard") {
  return transferPlace(
    {
      source: { location: "-", backing: [], allowAmplification: false },
      destination: world.path("landed/disk.raw"),
      format: "raw",
      concurrency: 2,
      memory: 64 * MiB,
      bandwidth: 0,
      existing: "replace",
      unfinished,
      verify: "digest",
      adopt: "coded units",
    },
    {
      places: world.engine.places,
      producer: world.engine.producer,
      stateDirectory: world.engine.stateDirectory,
      stdin: Readable.from([content]),
      events: { onStage: () => {}, onProgress: () => {}, onResume: () => {}, onRetry: () => {} },
    },
    never,
  );
}

it("what a stream that was killed has left goes with --restart, and not before", async () => {
  mkdirSync(world.path("landed"));
  await using destination = await world.engine.places.destination(world.path("landed/disk.raw"), never);
  await destination.begin({ existing: "refuse" }, never);
  const [left] = readdirSync(world.path("landed"));
  await stream("resume");
  expect(readdirSync(world.path("landed")).sort()).toEqual([left, "disk.raw"]);
  await stream("discard");
  expect(readdirSync(world.path("landed"))).toEqual(["disk.raw"]);
  expect(readFileSync(world.path("landed/disk.raw")).equals(content)).toBe(true);
});
