/** Exports, imports and copies from end to end, between directories. */
import { readFileSync, writeFileSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { MiB } from "../../src/bytes/units.ts";
import { openAlone } from "../../src/engine/open-image.ts";
import { openFile } from "../../src/source/file/file.ts";
import { digestOf, makeDisk, noise } from "../oracle/disk.ts";
import { copyOf, exportOf, type Harbour, harbour, importOf, never } from "./harbour.ts";

const disk = Buffer.concat([noise(2 * MiB), Buffer.alloc(MiB), makeDisk(2 * MiB)]);
const second = Buffer.concat([makeDisk(MiB), noise(MiB, 3)]);

let quay: Harbour;
beforeEach(async () => {
  quay = await harbour();
});
afterEach(async () => {
  await quay[Symbol.asyncDispose]();
});

const kindsOf = async (id: string) =>
  (await quay.events(id)).map(({ event }) => event.kind).filter((kind) => kind !== "progressed");

async function guestOf(path: string, format: string): Promise<Buffer> {
  await using opened = await openAlone(await openFile(path), format, never);
  expect(opened.image.format).toBe(format);
  return readFileSync(path);
}

describe("an import", () => {
  it("makes an image of a file, which an export and a copy then find", async () => {
    writeFileSync(quay.path("yard", "disk.raw"), disk);
    const scheduler = await quay.start();
    const imported = await quay.accept(importOf(["disk.raw"], "east-a"));
    const done = await quay.ended(imported.id);
    expect(done).toMatchObject({ state: "succeeded", progress: 100 });
    expect(await kindsOf(imported.id)).toEqual([
      "accepted",
      "started",
      "opened",
      "planned",
      "sealing",
      "committing",
      "cataloguing",
      "succeeded",
    ]);
    const entry = (await quay.record.catalogue.images.get("east-a"))?.entry;
    expect(entry?.status).toBe("Available");
    expect(entry?.disks[0]).toMatchObject({
      object: "east-a-0",
      size: disk.length,
      virtualSize: disk.length,
      guestDigest: digestOf(disk),
    });

    const exported = await quay.accept(
      exportOf("east-a", ["out.qcow2"], { format: "qcow2", verify: "read back" }),
    );
    expect((await quay.ended(exported.id)).result?.objects).toMatchObject([
      { object: "out.qcow2", format: "qcow2", guestDigest: digestOf(disk), verified: "read back" },
    ]);
    expect(await kindsOf(exported.id)).toContain("verifying");
    await guestOf(quay.path("quay", "out.qcow2"), "qcow2");

    const copied = await quay.accept(copyOf("east-a", "west-b", "raw"));
    expect((await quay.ended(copied.id)).state).toBe("succeeded");
    expect(readFileSync(quay.path("west", "west-b-0")).equals(disk)).toBe(true);
    const copy = (await quay.record.catalogue.images.get("west-b"))?.entry;
    expect([copy?.status, copy?.disks[0]?.guestDigest]).toEqual(["Available", digestOf(disk)]);
    await scheduler.drain(60_000);
    expect(quay.files("state")).toEqual([]);
  });

  it("gives the disk the size that was asked for, and refuses one that is too small", async () => {
    writeFileSync(quay.path("yard", "disk.raw"), disk);
    const scheduler = await quay.start();
    const asked = (virtualSize: number, to: string) =>
      importOf([], to, {
        disks: [{ source: { kind: "file", root: "yard", path: "disk.raw" }, virtualSize }],
        to: { image: to, destination: "east", objects: [to], write: { format: "qcow2" } },
      });
    const larger = await quay.ended((await quay.accept(asked(8 * MiB, "east-l"))).id);
    expect(larger.result?.objects[0]).toMatchObject({ virtualSize: 8 * MiB, guestDigest: digestOf(disk) });
    const smaller = await quay.ended((await quay.accept(asked(MiB, "east-s"))).id);
    expect(smaller).toMatchObject({ state: "failed", failure: { code: "LIMIT_EXCEEDED" } });
    expect((await quay.record.catalogue.images.get("east-s"))?.entry.status).toBe("CreateFailed");
    await scheduler.drain(60_000);
    expect(quay.files("state", "east").sort()).toEqual(["east/east-l"]);
  });
});

describe("an image of several disks", () => {
  it("is exported as one object for each, published together", async () => {
    writeFileSync(quay.path("east", "one"), disk);
    writeFileSync(quay.path("east", "two"), second);
    await quay.stored("east-a", "raw", "one", "two");
    await quay.start();
    const { id } = await quay.accept(exportOf("east-a", ["one.raw", "two.raw"]));
    const done = await quay.ended(id);
    expect(done.result?.objects.map(({ guestDigest }) => guestDigest)).toEqual([
      digestOf(disk),
      digestOf(second),
    ]);
    expect(readFileSync(quay.path("quay", "two.raw")).equals(second)).toBe(true);
    expect(done.bytes.committed).toBe(done.bytes.total);
    expect(await kindsOf(id)).toEqual([
      "accepted",
      "started",
      "opened",
      "planned",
      "sealing",
      "committing",
      "cataloguing",
      "succeeded",
    ]);
  });
});

describe("a copy", () => {
  it("between stores of one format takes the stored bytes as they are", async () => {
    writeFileSync(quay.path("yard", "disk.raw"), disk);
    await quay.start();
    const write = { format: "qcow2", compression: "zlib" } as const;
    await quay.ended(
      (
        await quay.accept(
          importOf(["disk.raw"], "east-a", {
            to: { image: "east-a", destination: "east", objects: ["a.qcow2"], write },
          }),
        )
      ).id,
    );
    const { id } = await quay.accept(copyOf("east-a", "west-b", "qcow2"));
    const done = await quay.ended(id);
    expect(
      readFileSync(quay.path("west", "west-b-0")).equals(readFileSync(quay.path("east", "a.qcow2"))),
    ).toBe(true);
    expect(done.result?.objects[0]).toMatchObject({
      format: "qcow2",
      virtualSize: disk.length,
      guestDigest: digestOf(disk),
    });
  });

  it("between stores of two formats converts", async () => {
    writeFileSync(quay.path("east", "one"), disk);
    await quay.stored("east-a", "raw", "one");
    await quay.start();
    const done = await quay.ended((await quay.accept(copyOf("east-a", "north-b", "qcow2"))).id);
    expect(done.result?.objects[0]).toMatchObject({ format: "qcow2", guestDigest: digestOf(disk) });
    await guestOf(quay.path("north", "north-b-0"), "qcow2");
  });
});
