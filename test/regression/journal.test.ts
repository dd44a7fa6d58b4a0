import { createHash } from "node:crypto";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, it, vi } from "vitest";
import { MiB } from "../../src/bytes/units.ts";
import type { UnitDeflater } from "../../src/codec/unit-deflater.ts";
import { openJournal } from "../../src/transfer/journal.ts";
import { noise } from "../oracle/disk.ts";
import { makeWorld, type Wish } from "../support/world.ts";

const codec = vi.hoisted((): { deflate: UnitDeflater | undefined } => ({ deflate: undefined }));
vi.mock("../../src/codec/codec.ts", async (original) => {
  const real = await original<typeof import("../../src/codec/codec.ts")>();
  return { ...real, deflaterOfUnits: () => codec.deflate ?? real.deflaterOfUnits() };
});
afterEach(() => {
  codec.deflate = undefined;
});

const world = await makeWorld("journal");
const never = new AbortController().signal;

const begin = { event: "begin", version: 1, identity: "x", token: { id: "1" } };
const nonsense: readonly (readonly [string, string])[] = [
  ["null", "null"],
  ["a number", "7"],
  ["a list", "[]"],
  ["no JSON", "{"],
  ["bytes", "\0\0\0\0"],
  ["an unknown event", JSON.stringify({ event: "party" })],
  ["a segment without a receipt", JSON.stringify({ event: "segment" })],
  ["a beginning of an unknown version", JSON.stringify({ ...begin, version: 2 })],
  ["a beginning without a token", JSON.stringify({ ...begin, token: undefined })],
  ["a token of lists", JSON.stringify({ ...begin, token: { id: [1] } })],
  ["an intent at no time", JSON.stringify({ event: "intent", at: "noon" })],
  ["a seal of nothing", JSON.stringify({ event: "sealed" })],
];

function journalPath(directory: string, identity: string): string {
  return join(directory, `${createHash("sha256").update(identity).digest("hex").slice(0, 32)}.journal`);
}

describe.each(nonsense)("a journal that holds %s", (_what, line) => {
  it("is nothing to go on with, and what is written into it afterwards is read again", async () => {
    const directory = world.path("journals");
    mkdirSync(directory, { recursive: true });
    writeFileSync(journalPath(directory, "place"), `${line}\n`);
    {
      await using journal = await openJournal(directory, "place", "place");
      expect([journal.unfinished, journal.intended]).toEqual([undefined, undefined]);
      await journal.intend();
      await journal.begin("new", { id: 2 });
    }
    await using again = await openJournal(directory, "place", "place");
    expect(again.unfinished).toMatchObject({ identity: "new", token: { id: 2 }, segments: [] });
    await again.remove();
  });

  it("behind a beginning ends what counts there", async () => {
    const directory = world.path("journals");
    mkdirSync(directory, { recursive: true });
    const segment = {
      event: "segment",
      receipt: { number: 1, length: 1, etag: "", checksums: {}, guest: "0".repeat(32) },
    };
    const lines = [JSON.stringify(begin), line, JSON.stringify(segment)];
    writeFileSync(journalPath(directory, "place"), `${lines.join("\n")}\n`);
    await using journal = await openJournal(directory, "place", "place");
    expect(journal.unfinished).toMatchObject({ identity: "x", segments: [] });
    await journal.remove();
  });
});

describe("a transfer to a place with a journal of nonsense", () => {
  it.each(["resume", "discard"] as const)("begins anew (%s)", async (unfinished) => {
    const to = `nonsense-${unfinished}.raw`;
    writeFileSync(world.path("small.raw"), noise(MiB));
    const { stateDirectory, places } = world.engine;
    mkdirSync(stateDirectory, { recursive: true });
    await using destination = await places.destination(world.path(to), never);
    const path = journalPath(stateDirectory, destination.identity);
    writeFileSync(path, `${nonsense.map(([, line]) => line).join("\n")}\n`);
    await world.transfer("small.raw", to, { source: { format: "raw" }, unfinished });
    expect([existsSync(world.path(to)), existsSync(path)]).toEqual([true, false]);
  });
});

describe("a packed transfer that goes on with another codec", () => {
  const wish = { source: { format: "raw" }, format: "qcow2", segment: MiB, concurrency: 1 } as const;

  /** Interrupted when the fourth segment is handed out. */
  async function interrupted(to: string, more: Wish): Promise<void> {
    writeFileSync(world.path("disk.raw"), noise(8 * MiB));
    const controller = new AbortController();
    let jobs = 0;
    const producer = {
      lanes: 1,
      threads: 1,
      produce: (...[job, signal]: Parameters<typeof world.engine.producer.produce>) => {
        jobs += 1;
        if (jobs === 4) controller.abort();
        return world.engine.producer.produce(job, signal);
      },
    };
    const work = world.transfer("disk.raw", to, { ...wish, ...more, producer, signal: controller.signal });
    await expect(work).rejects.toMatchObject({ code: "CANCELED" });
    expect(existsSync(world.path(to))).toBe(false);
  }

  it("is refused, since its parts would not fit together", async () => {
    const more = { compression: "zlib" } as const;
    await interrupted("coded.qcow2", more);
    codec.deflate = (bytes) => bytes;
    await expect(world.transfer("disk.raw", "coded.qcow2", { ...wish, ...more })).rejects.toMatchObject({
      code: "ALREADY_EXISTS",
      message: expect.stringContaining("--restart"),
    });
    codec.deflate = undefined;
    let landed = 0;
    const onResume = (parts: number): void => {
      landed = parts;
    };
    await world.transfer("disk.raw", "coded.qcow2", { ...wish, ...more, events: { onResume } });
    expect(landed).toBeGreaterThan(0);
  });

  it("does go on where nothing is coded", async () => {
    await interrupted("plain.qcow2", { compression: "none" });
    codec.deflate = (bytes) => bytes;
    await world.transfer("disk.raw", "plain.qcow2", { ...wish, compression: "none", verify: "read back" });
    expect(existsSync(world.path("plain.qcow2"))).toBe(true);
  });
});

describe("a state directory that cannot be made", () => {
  it("is named, and what to set", async () => {
    writeFileSync(world.path("no-directory"), "");
    const directory = world.path("no-directory/journals");
    const fault = await openJournal(directory, "place", "place").catch((error: unknown) => error);
    expect(fault).toMatchObject({
      name: "Fault",
      message: expect.stringMatching(/, the state directory: .*; .*XDG_STATE_HOME or stateDirectory$/),
    });
    expect(String(fault)).toContain(directory);
  });
});
