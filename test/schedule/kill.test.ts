/** SIGKILL at any moment of a task: the next daemon goes on, and what it makes is whole. */
import { spawn } from "node:child_process";
import { createDecipheriv } from "node:crypto";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { KiB } from "../../src/bytes/units.ts";
import { digestOf, noise } from "../oracle/disk.ts";
import { copyOf, exportOf, type Harbour, harbour, PART } from "./harbour.ts";

const disk = noise(85 * PART);

let quay: Harbour;
beforeEach(async () => {
  quay = await harbour();
  writeFileSync(quay.path("east", "stored"), disk);
  await quay.stored("east-a", "raw", "stored");
});
afterEach(async () => {
  await quay[Symbol.asyncDispose]();
});

interface Told {
  readonly kind: string;
  readonly progress: number;
}

/** Runs a daemon over the harbour, and kills it as soon as it has told what is waited for, or has nothing left to do. */
async function killWhen(is: (told: Told) => boolean): Promise<void> {
  const daemon = spawn(process.execPath, [join(import.meta.dirname, "daemon.ts"), quay.path(".")], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = once(daemon, "exit");
  for await (const line of createInterface(daemon.stdout)) {
    const told = JSON.parse(line) as Told;
    if (is(told) || told.kind === "all-ended") break;
  }
  daemon.kill("SIGKILL");
  const [, signal] = await ended;
  expect(signal).toBe("SIGKILL");
}

describe("a daemon that is killed again and again", () => {
  it("brings an export and a copy to their end, and leaves nothing beside them", async () => {
    const slow = { bandwidth: 4096 * KiB };
    const tasks = [
      await quay.accept(exportOf("east-a", ["out.raw"]), slow),
      await quay.accept(copyOf("east-a", "west-b", "raw"), slow),
    ];
    await quay.handOver();
    for (const kind of ["started", "opened", "planned"]) await killWhen((told) => told.kind === kind);
    for (const progress of [20, 45, 75]) await killWhen((told) => told.progress >= progress);
    for (const kind of ["sealing", "committing", "cataloguing", "succeeded"]) {
      await killWhen((told) => told.kind === kind);
    }
    await quay.takeBack();
    const scheduler = await quay.start();
    for (const { id } of tasks) {
      const done = await quay.ended(id);
      expect(done).toMatchObject({ state: "succeeded", progress: 100 });
      expect(done.setback).toBeUndefined();
      expect(done.result?.objects).toMatchObject([{ size: disk.length, guestDigest: digestOf(disk) }]);
      const percents = (await quay.events(id)).map(({ after }) => after.progress);
      expect(percents).toEqual(percents.toSorted((a, b) => a - b));
    }
    await scheduler.removeOrphans(new AbortController().signal);
    await scheduler.drain(60_000);
    expect(quay.files("quay", "west", "state").sort()).toEqual(["quay/out.raw", "west/west-b-0"]);
    for (const path of ["quay/out.raw", "west/west-b-0"]) {
      expect(readFileSync(quay.path(path)).equals(disk)).toBe(true);
    }
    expect(await quay.record.slotsInUse()).toEqual([]);
  });

  it("brings an encrypted copy to its end with the key that it began with", async () => {
    const key = { key: "key-1", image: "west-b" };
    await quay.dataKeys.make(key.key);
    const encryption = await quay.dataKeys.wrapFresh(key.image, key.key);
    const copy = copyOf("east-a", key.image, "raw");
    if (copy.kind !== "copy") throw new Error("it is a copy");
    const spec = { ...copy, to: { ...copy.to, encryption } };
    const task = await quay.accept(spec, { bandwidth: 4096 * KiB });
    await quay.handOver();
    for (const progress of [20, 45, 75]) await killWhen((told) => told.progress >= progress);
    for (const kind of ["sealing", "committing"]) await killWhen((told) => told.kind === kind);
    await quay.takeBack();
    await quay.start();
    expect(await quay.ended(task.id)).toMatchObject({ state: "succeeded", progress: 100 });
    const bytes = readFileSync(quay.path("west/west-b-0"));
    expect(bytes.equals(disk)).toBe(false);
    const dataKey = await quay.dataKeys.unwrap(key.image, encryption);
    const plain = createDecipheriv("aes-256-ctr", dataKey, Buffer.alloc(16)).update(bytes);
    expect(plain.equals(disk)).toBe(true);
  });

  it("carries out a cancel that it had accepted before", async () => {
    const task = await quay.accept(exportOf("east-a", ["out.raw"]), { bandwidth: 1024 * KiB });
    await quay.handOver();
    await killWhen(({ progress }) => progress >= 15);
    await quay.takeBack();
    const { cancel } = await quay.cancel(task.id);
    expect(cancel?.stopAt).toBe(40);
    await quay.handOver();
    await killWhen(({ progress }) => progress >= 25);
    await killWhen(({ kind }) => kind === "stopped");
    await quay.takeBack();
    expect(await quay.record.task(task.id)).toMatchObject({ state: "canceled", progress: 40 });
    expect(quay.files("quay", "state")).toEqual([]);
  });
});
