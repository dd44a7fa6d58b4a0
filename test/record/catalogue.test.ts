import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Destination } from "../../src/catalog/destination.ts";
import { project } from "../../src/catalog/project.ts";
import { region } from "../../src/catalog/region.ts";
import type { Fault } from "../../src/fault/fault.ts";
import type { Task } from "../../src/task/task.ts";
import { FAILURE, NOW } from "../task/tasks.ts";
import {
  ALL,
  acceptance,
  accepted,
  addRegions,
  applied,
  copyTarget,
  copyTask,
  exportTask,
  type RecordFile,
  recordFile,
  sampleImage,
  TO_THE_END,
} from "./record-file.ts";

let file: RecordFile;
beforeEach(async () => {
  file = await recordFile();
  await addRegions(file.record, "east", "west");
});
afterEach(() => file[Symbol.asyncDispose]());

describe("the catalogue", () => {
  it("keeps every attribute of an entry, also after the file was closed", async () => {
    const { catalogue } = file.record;
    const north = region({
      id: "north",
      imageStore: "north-images",
      ingressFrom: ["east"],
      complianceDeny: ["west"],
      swiftApiVersion: "v2",
      slots: { copy: 1, export: 2, import: 3 },
      peerUrl: "https://north.example",
    });
    await catalogue.regions.add(north);
    await catalogue.projects.add(project({ id: "p1", payment: "outstanding", aliUid: "42" }));
    await catalogue.images.add(sampleImage({ tags: [{ key: "a", value: "" }], cloudBox: "box" }));
    await catalogue.destinations.add({
      name: "bucket",
      region: "east",
      provider: "swift",
      container: "images",
      location: "swift://images/",
      credential: "swift-east",
    });
    await catalogue.keys.add({
      id: "key-1",
      project: "p1",
      region: "east",
      state: "Enabled",
      serviceGrant: "yes",
      tagGrant: "no",
      createdAt: NOW,
    });
    const again = (await file.reopen()).catalogue;
    expect(await again.regions.get("north")).toEqual({ entry: north, version: 1 });
    expect((await again.projects.get("p1"))?.entry).toMatchObject({ payment: "outstanding", aliUid: "42" });
    expect((await again.images.get("image-1"))?.entry).toMatchObject({ cloudBox: "box" });
    expect((await again.destinations.get("bucket"))?.entry.credential).toBe("swift-east");
    expect((await again.keys.get("key-1"))?.entry.tagGrant).toBe("no");
  });

  it("lists entries by id, page by page, of one project, region or name", async () => {
    const { images } = file.record.catalogue;
    for (const id of ["c", "a", "b", "d"]) {
      const there = id < "c" ? { region: "west", project: "p2" } : {};
      await images.add(sampleImage({ id, name: `name-${id}`, ...there }));
    }
    const ids = async (query: object) =>
      (await images.list({ limit: 10, ...query })).map(({ entry }) => entry.id);
    expect(await ids({})).toEqual(["a", "b", "c", "d"]);
    expect(await ids({ limit: 2, after: "a" })).toEqual(["b", "c"]);
    expect(await ids({ project: "p1" })).toEqual(["c", "d"]);
    expect(await ids({ region: "west", name: "name-b" })).toEqual(["b"]);
  });

  it("lets one of two change an entry that both have seen", async () => {
    const { regions } = file.record.catalogue;
    const seen = await regions.get("east");
    if (seen === undefined) throw new Error("east is not there");
    const outcomes = await Promise.allSettled([
      regions.replace({ ...seen.entry, localName: "a" }, seen.version),
      regions.replace({ ...seen.entry, localName: "b" }, seen.version),
      regions.remove("east", seen.version),
    ]);
    expect(outcomes).toMatchObject([
      { status: "fulfilled" },
      { status: "rejected", reason: { code: "CONFLICT" } },
      { status: "rejected", reason: { code: "CONFLICT" } },
    ]);
    expect(await regions.get("east")).toMatchObject({ entry: { localName: "a" }, version: 2 });
  });

  it("refuses what is there already, what is not there, and regions that are not there", async () => {
    const { regions, images } = file.record.catalogue;
    await expect(addRegions(file.record, "east")).rejects.toMatchObject({ code: "ALREADY_EXISTS" });
    const none = region({ id: "none", imageStore: "x" });
    await expect(regions.replace(none, 1)).rejects.toMatchObject({ code: "NOT_FOUND" });
    await expect(regions.remove("none", 1)).rejects.toMatchObject({ code: "NOT_FOUND" });
    await expect(images.add(sampleImage({ region: "none" }))).rejects.toMatchObject({ code: "NOT_FOUND" });
  });

  it("keeps what is still needed", async () => {
    const { record } = file;
    const { catalogue } = record;
    await catalogue.images.add(sampleImage());
    await catalogue.destinations.add({
      name: "bucket",
      region: "west",
      provider: "swift",
      container: "images",
      location: "swift://images/",
    });
    await expect(catalogue.regions.remove("east", 1)).rejects.toMatchObject({ code: "CONFLICT" });
    const task = await accepted(record, exportTask());
    await expect(catalogue.images.remove("image-1", 1)).rejects.toMatchObject({ code: "CONFLICT" });
    await expect(catalogue.destinations.remove("bucket", 1)).rejects.toMatchObject({ code: "CONFLICT" });
    await applied(record, task.id, { kind: "cancel-accepted" });
    await catalogue.images.remove("image-1", 1);
    await catalogue.destinations.remove("bucket", 1);
    await catalogue.regions.remove("east", 1);
  });
});

describe("a destination", () => {
  const bucket = {
    name: "bucket",
    region: "east",
    provider: "s3",
    container: "a",
    location: "s3://a/",
    credential: "c",
  } as const;
  const replace = (given: Partial<Destination>) =>
    file.record.catalogue.destinations.replace({ ...bucket, ...given }, 1).then(
      () => "replaced",
      (fault: Fault) => fault.code,
    );
  beforeEach(async () => {
    await file.record.catalogue.destinations.add(bucket);
  });

  const moves: readonly Partial<Destination>[] = [
    { provider: "oss", location: "oss://a/" },
    { container: "b" },
    { location: "s3://a/below/" },
    { credential: "other" },
  ];

  it.each(moves)("does not move while a task writes to it: %j", async (move) => {
    const task = await accepted(file.record, exportTask());
    expect(await replace(move)).toBe("CONFLICT");
    await applied(file.record, task.id, { kind: "cancel-accepted" });
    expect(await replace(move)).toBe("replaced");
  });

  it.each(moves)("does not move while an image lies there: %j", async (move) => {
    await file.record.catalogue.images.add(sampleImage({ store: "bucket" }));
    expect(await replace(move)).toBe("CONFLICT");
  });

  it("may change in all else, and moves where nothing is", async () => {
    await file.record.catalogue.regions.add(region({ id: "north", imageStore: "bucket" }));
    expect(await replace({ location: "s3://b/", container: "b" })).toBe("replaced");
    await accepted(file.record, exportTask());
    const { destinations } = file.record.catalogue;
    await destinations.replace({ ...bucket, location: "s3://b/", container: "b", project: "p1" }, 2);
    expect((await destinations.get("bucket"))?.entry.project).toBe("p1");
  });
});

describe("the image that a copy makes", () => {
  let copy: Task;
  const made = async () => (await file.record.catalogue.images.get("made"))?.entry;
  beforeEach(async () => {
    const spec = {
      kind: "copy",
      from: { image: "image-1", region: "east" },
      region: "west",
      to: copyTarget("west", "made"),
      verify: "by the store",
    } as const;
    const image = sampleImage({ id: "made", region: "west", status: "Waiting" });
    copy = (await file.record.accept(acceptance(copyTask("east", "west", { spec }), { images: [image] })))
      .task;
  });

  it("is available, with what has landed, when the copy has succeeded", async () => {
    const { record } = file;
    expect((await made())?.status).toBe("Waiting");
    await record.claim(ALL);
    expect((await made())?.status).toBe("Creating");
    const object = {
      object: "made.qcow2",
      format: "qcow2",
      size: 77,
      virtualSize: 4096,
      checksums: { md5: "0".repeat(32) },
      guestDigest: "xxh3sum:1",
      verified: "by the store",
    } as const;
    await applied(record, copy.id, ...TO_THE_END.slice(0, -1), {
      kind: "succeeded",
      result: { objects: [object] },
    });
    const { format: _, verified: __, ...disk } = object;
    expect(await made()).toMatchObject({ status: "Available", format: "qcow2", disks: [disk] });
  });

  it("has failed with the copy", async () => {
    await file.record.claim(ALL);
    await applied(file.record, copy.id, { kind: "failed", failure: FAILURE });
    expect((await made())?.status).toBe("CreateFailed");
  });

  it("is gone when the copy was cancelled, whether it ran or not", async () => {
    await applied(file.record, copy.id, { kind: "cancel-accepted" });
    expect(await made()).toBeUndefined();
  });

  it("stays while a cancelled copy is on its way to its end", async () => {
    await file.record.claim(ALL);
    await applied(file.record, copy.id, { kind: "cancel-accepted" });
    expect((await made())?.status).toBe("Creating");
    await applied(file.record, copy.id, { kind: "stopped" });
    expect(await made()).toBeUndefined();
  });

  it("CP-15: cannot be removed before the copy has ended", async () => {
    await expect(file.record.catalogue.images.remove("made", 1)).rejects.toMatchObject({ code: "CONFLICT" });
  });
});
