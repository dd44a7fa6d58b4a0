import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { volume } from "../../src/catalog/volume.ts";
import type { Fault } from "../../src/fault/fault.ts";
import type { ClientToken } from "../../src/record/record.ts";
import { NOW } from "../task/tasks.ts";
import {
  ALL,
  acceptance,
  accepted,
  addRegions,
  applied,
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

const TOKEN: ClientToken = {
  project: "p1",
  action: "ExportImage",
  region: "east",
  token: "abc",
  fingerprint: "f1",
};

describe("an accepted task", () => {
  it("is there as it was accepted, also after the file was closed", async () => {
    const { task, when } = await file.record.accept(acceptance(exportTask({ traceparent: "00-1-2-03" })));
    expect([when, task.state, task.sequence]).toEqual(["now", "queued", 1]);
    expect(await (await file.reopen()).task(task.id)).toEqual(task);
  });

  it("gets ascending numbers, in the order of the calls", async () => {
    const tasks = await Promise.all(Array.from({ length: 600 }, () => accepted(file.record, exportTask())));
    expect(tasks.map(({ sequence }) => sequence)).toEqual(tasks.map((_, index) => index + 1));
  });

  it("is refused alone: what arrives with it stands", async () => {
    const outcomes = await Promise.allSettled([
      accepted(file.record, exportTask({ id: "a" })),
      accepted(file.record, exportTask({ id: "a" })),
      accepted(file.record, exportTask({ id: "b" })),
    ]);
    expect(outcomes.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
    expect(await file.record.countTasks({})).toBe(2);
  });

  it("leaves nothing when any part of it is refused", async () => {
    const { record } = file;
    await record.catalogue.volumes.add(sampleVolume());
    const seen = await record.catalogue.volumes.get("v-1");
    const refused = record.accept(
      acceptance(exportTask({ id: "gone", exclusive: ["x"] }), {
        token: TOKEN,
        images: [sampleImage()],
        volumes: seen === undefined ? [] : [seen],
        limits: [{ counts: "images", project: "p1", region: "east", most: 0 }],
      }),
    );
    await expect(refused).rejects.toMatchObject({ code: "QUOTA_EXCEEDED", details: { quota: "images" } });
    expect(await record.task("gone")).toBeUndefined();
    expect(await record.replayed(TOKEN)).toBeUndefined();
    expect(await record.catalogue.images.get("image-1")).toBeUndefined();
    expect(await record.catalogue.volumes.get("v-1")).toEqual(seen);
    expect(await record.events({ after: 0, limit: 10 })).toEqual([]);
    await accepted(record, exportTask({ exclusive: ["x"] }));
  });
});

describe("a client token", () => {
  it("gives the same task for the same request, however often, and does nothing more", async () => {
    const { record } = file;
    const attempts = await Promise.all(
      [1, 2, 3].map(() => record.accept(acceptance(exportTask(), { token: TOKEN }))),
    );
    expect(attempts.map(({ when }) => when)).toEqual(["now", "before", "before"]);
    expect(new Set(attempts.map(({ task }) => task.id)).size).toBe(1);
    expect(await record.countTasks({})).toBe(1);
    expect(await (await file.reopen()).replayed(TOKEN)).toEqual(attempts[0]?.task);
  });

  it("refuses another request under the same token", async () => {
    const { record } = file;
    await record.accept(acceptance(exportTask(), { token: TOKEN }));
    const other = { ...TOKEN, fingerprint: "f2" };
    const refused = { code: "IDEMPOTENCY_MISMATCH" };
    await expect(record.accept(acceptance(exportTask(), { token: other }))).rejects.toMatchObject(refused);
    await expect(record.replayed(other)).rejects.toMatchObject(refused);
  });

  it.each([
    ["project", { ...TOKEN, project: "p2" }],
    ["action", { ...TOKEN, action: "CopyImage" }],
    ["region", { ...TOKEN, region: "west" }],
    ["case", { ...TOKEN, token: "ABC" }],
  ])("of another %s is another token", async (_, other) => {
    const { record } = file;
    await record.accept(acceptance(exportTask(), { token: TOKEN }));
    expect(await record.replayed({ ...other, fingerprint: "f2" })).toBeUndefined();
  });

  it("comes back with the task as it is now", async () => {
    const { record } = file;
    const { task } = await record.accept(acceptance(exportTask(), { token: TOKEN }));
    await applied(record, task.id, { kind: "cancel-accepted" });
    expect((await record.replayed(TOKEN))?.state).toBe("canceled");
  });
});

describe("a name that a task claims", () => {
  it("tells of the task that stands in the way only to its own project", async () => {
    const { id } = await accepted(file.record, exportTask({ exclusive: ["x"] }));
    const refused = (project: string) =>
      accepted(file.record, exportTask({ exclusive: ["x"], project })).catch((fault: Fault) =>
        fault.toWire(),
      );
    expect(await refused("p1")).toMatchObject({ code: "CONFLICT", details: { exclusive: "x", task: id } });
    const other = await refused("p2");
    expect(other).toMatchObject({ code: "CONFLICT", details: { exclusive: "x" } });
    expect(JSON.stringify(other)).not.toContain(id);
    expect(Object.keys((other as Fault).details)).toEqual(["exclusive"]);
  });

  it("FJ-6: is free again only when the task has ended", async () => {
    const { record } = file;
    const first = await accepted(record, exportTask({ exclusive: ["export image-1 bucket"] }));
    const again = () => accepted(record, exportTask({ exclusive: ["export image-1 bucket"] }));
    await expect(again()).rejects.toMatchObject({ code: "CONFLICT", details: { task: first.id } });
    await record.claim(ALL);
    await expect(again()).rejects.toMatchObject({ code: "CONFLICT" });
    await applied(record, first.id, ...TO_THE_END);
    await again();
  });

  it("goes to one of two that ask at the same time", async () => {
    const asked = [1, 2, 3, 4].map(() => accepted(file.record, exportTask({ exclusive: ["x"] })));
    const outcomes = await Promise.allSettled(asked);
    expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
  });
});

describe("what comes with a task", () => {
  it("is an image of a name that nobody else has, unless that is allowed", async () => {
    const { record } = file;
    await record.catalogue.images.add(sampleImage());
    const same = (sameName: "refuse" | "allow") =>
      record.accept(acceptance(exportTask(), { images: [sampleImage({ id: "image-2" })], sameName }));
    await expect(same("refuse")).rejects.toMatchObject({
      code: "ALREADY_EXISTS",
      details: { image: "image-1" },
    });
    await same("allow");
    expect(await record.catalogue.images.get("image-2")).toMatchObject({ version: 1 });
  });

  it("is a volume that is uploading until the task has ended", async () => {
    const { record } = file;
    const seen = await record.catalogue.volumes.add(sampleVolume());
    const spec = {
      ...exportTask().spec,
      kind: "export",
      from: { kind: "volume", volume: "v-1" },
      destination: "bucket",
      objects: ["v.raw"],
      format: "raw",
    } as const;
    const { task } = await record.accept(acceptance(exportTask({ spec }), { volumes: [seen] }));
    const status = async () => (await record.catalogue.volumes.get("v-1"))?.entry.status;
    expect(await status()).toBe("uploading");
    await expect(record.accept(acceptance(exportTask({ spec }), { volumes: [seen] }))).rejects.toMatchObject({
      code: "CONFLICT",
    });
    await record.claim(ALL);
    await applied(record, task.id, ...TO_THE_END);
    expect(await record.catalogue.volumes.get("v-1")).toMatchObject({
      entry: { ...seen.entry, updatedAt: NOW },
    });
    expect(await status()).toBe("in-use");
  });

  it("must stand on images that are as they were seen", async () => {
    const { record } = file;
    const seen = await record.catalogue.images.add(sampleImage());
    await record.catalogue.images.replace(sampleImage({ status: "Deprecated" }), 1);
    await expect(record.accept(acceptance(exportTask(), { unchanged: [seen] }))).rejects.toMatchObject({
      code: "CONFLICT",
    });
  });

  it("is held to the number of images, of their disks, and of tasks", async () => {
    const { record } = file;
    const counts = { project: "p1", region: "east" } as const;
    await record.accept(
      acceptance(exportTask(), {
        images: [sampleImage()],
        limits: [
          { counts: "images", ...counts, most: 1 },
          { counts: "snapshots", ...counts, most: 1 },
          { counts: "tasks", name: "exports", where: { project: "p1", kinds: ["export"] }, most: 1 },
        ],
      }),
    );
    const images = [sampleImage({ id: "image-2", name: "two" })];
    for (const limit of [
      { counts: "images", ...counts, most: 1 },
      { counts: "snapshots", ...counts, most: 1 },
      { counts: "tasks", name: "exports", where: { project: "p1", kinds: ["export"] }, most: 1 },
    ] as const) {
      await expect(
        record.accept(acceptance(exportTask(), { images, limits: [limit] })),
      ).rejects.toMatchObject({
        code: "QUOTA_EXCEEDED",
      });
    }
    await record.accept(
      acceptance(exportTask(), {
        images,
        limits: [{ counts: "images", ...counts, region: "west", most: 1 }],
      }),
    );
  });
});

function sampleVolume() {
  return volume({
    id: "v-1",
    project: "p1",
    region: "east",
    root: "volumes",
    path: "v-1.raw",
    size: 1024,
    status: "in-use",
    createdAt: NOW,
  });
}
