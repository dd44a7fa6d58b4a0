import { availableParallelism } from "node:os";
import { expect, it } from "vitest";
import { compose } from "../src/compose.ts";

it.each([
  ["one segment in flight", { concurrency: 1 }, 1],
  ["more segments in flight than cores", { concurrency: 4096 }, availableParallelism()],
  ["as many threads as were asked for", { concurrency: 1, threads: 3 }, 3],
  ["a command that says nothing", {}, Math.min(8, availableParallelism())],
])("no thread is started that %s would leave idle", async (_, options, threads) => {
  await using engine = await compose({ HOME: "/nonexistent" }, options);
  expect(engine.producer.threads).toBe(threads);
});
