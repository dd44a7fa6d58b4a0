import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { region } from "../../src/catalog/region.ts";
import { Fault } from "../../src/fault/fault.ts";
import type { ExportRequest } from "../../src/service/request.ts";
import { ALL, accepted, exportTask } from "../record/record-file.ts";
import { NOW } from "../task/tasks.ts";
import { ANN, BOB, EXPORT, never, ROOT, reasonOf, storedImage, type World, world } from "./world.ts";

let here: World;
beforeEach(async () => {
  here = await world();
});
afterEach(() => here[Symbol.asyncDispose]());

const some = async (count: number, project = "p1") => {
  for (let made = 0; made < count; made += 1) await accepted(here.file.record, exportTask({ project }));
};

describe("what a caller sees of tasks", () => {
  it("FJ-8: is those of his project; all others are not there", async () => {
    const { task } = await here.service.exportImage(ANN, EXPORT, never);
    expect(await here.service.getTask(ANN, task.id)).toEqual(task);
    expect(await here.service.getTask(ROOT, task.id)).toEqual(task);
    const asked = [
      () => here.service.getTask(BOB, task.id),
      () => here.service.cancelTask(BOB, task.id),
      () => here.service.limitTask(BOB, task.id, 1),
      () => here.service.watch(BOB, { task: task.id }, never)[Symbol.asyncIterator]().next(),
    ];
    for (const one of asked) expect(await reasonOf(one())).toBe("task-not-found");
    expect((await here.service.listTasks(BOB, { project: "p1" })).tasks).toEqual([]);
    expect((await here.service.listTasks(ROOT, { project: "p1" })).total).toBe(1);
    expect((await here.service.listTasks(ROOT, { project: "p2" })).total).toBe(0);
  });

  it("FJ-9, FJ-10: begins with the newest, and is at most 200", async () => {
    await some(205);
    const sequences = async (request: object) =>
      (await here.service.listTasks(ANN, request)).tasks.map(({ sequence }) => sequence);
    expect(await sequences({})).toHaveLength(200);
    expect(await sequences({ limit: 1000 })).toHaveLength(200);
    expect(await sequences({ page: { by: "start", start: 203 } })).toEqual([2, 1]);
    expect(await sequences({ page: { by: "start", start: 1 }, limit: 2 })).toEqual([204, 203]);
    for (const limit of [0, -1, 1.5, Number.NaN])
      expect(await reasonOf(sequences({ limit }))).toBe("malformed");
    expect(await reasonOf(sequences({ ids: Array.from({ length: 201 }, String) }))).toBe("malformed");
    for (const start of [-1, 0.5]) {
      expect(await reasonOf(sequences({ page: { by: "start", start } }))).toBe("malformed");
    }
  });

  it("AIP-158: comes page by page, each task once, though more are added", async () => {
    await some(7);
    const seen: number[] = [];
    for (let token: string | undefined, first = true; first || token !== undefined; first = false) {
      const page = token === undefined ? {} : { page: { by: "token", token } as const };
      const { tasks, next, total } = await here.service.listTasks(ANN, { limit: 3, ...page });
      seen.push(...tasks.map(({ sequence }) => sequence));
      expect(total).toBeGreaterThanOrEqual(7);
      token = next;
      await some(1);
    }
    expect(seen).toEqual([7, 6, 5, 4, 3, 2, 1]);
  });

  it("AIP-158: takes no token of another list, and none that it has not given", async () => {
    await some(3);
    const { next = "" } = await here.service.listTasks(ANN, { limit: 1 });
    const listed = (token: string, given: object = {}, caller = ANN) =>
      here.service.listTasks(caller, { limit: 1, page: { by: "token", token }, ...given });
    expect(await reasonOf(listed(next, { states: ["failed"] }))).toBe("page-token");
    expect(await reasonOf(listed(next, {}, BOB))).toBe("page-token");
    for (const token of ["", "x", "e30", "bnVsbA", next.slice(1), "🚀"]) {
      expect(await reasonOf(listed(token))).toBe("page-token");
    }
    expect(await reasonOf(listed(next))).toBe("accepted");
  });
});

describe("a cancel", () => {
  it("FJ-27: ends what waits at once", async () => {
    const { task } = await here.service.exportImage(ANN, EXPORT, never);
    expect(await here.service.cancelTask(ANN, task.id)).toMatchObject({ state: "canceled" });
    expect(await reasonOf(here.service.cancelTask(ANN, task.id))).toBe("finished");
  });

  it("FJ-24: is accepted once", async () => {
    const { task } = await here.service.exportImage(ANN, EXPORT, never);
    await here.file.record.claim(ALL);
    const both = await Promise.all([
      reasonOf(here.service.cancelTask(ANN, task.id)),
      reasonOf(here.service.cancelTask(ANN, task.id)),
    ]);
    expect(both).toEqual(["accepted", "already-cancelling"]);
  });

  it("D1: comes too late once the commit has begun", async () => {
    const { task } = await here.service.exportImage(ANN, EXPORT, never);
    await here.file.record.claim(ALL);
    const steps = [
      { kind: "opened" },
      { kind: "planned", total: 1 },
      { kind: "sealing" },
      { kind: "committing" },
    ] as const;
    for (const event of steps) await here.file.record.apply(task.id, event, NOW);
    expect(await reasonOf(here.service.cancelTask(ANN, task.id))).toBe("committing");
  });
});

it("a task is limited while it is not finished", async () => {
  const { task } = await here.service.exportImage(ANN, EXPORT, never);
  expect((await here.service.limitTask(ANN, task.id, 1000)).bandwidth).toBe(1000);
  expect(await reasonOf(here.service.limitTask(ANN, task.id, -1))).toBe("malformed");
  await here.service.cancelTask(ANN, task.id);
  expect(await reasonOf(here.service.limitTask(ANN, task.id, 0))).toBe("finished");
});

describe("the catalogue", () => {
  it("is changed by admins alone", async () => {
    const north = region({ id: "north", imageStore: "x" });
    expect(await reasonOf(here.service.regions.register(ANN, north))).toBe("admins-only");
    expect(await reasonOf(here.service.regions.replace(ANN, north, 1))).toBe("admins-only");
    expect(await reasonOf(here.service.images.unregister(ANN, "image-1", 1))).toBe("admins-only");
    expect(await here.service.regions.register(ROOT, north)).toEqual({ entry: north, version: 1 });
    expect(await reasonOf(here.service.regions.register(ROOT, north))).toBe("entry-exists");
    expect(await reasonOf(here.service.regions.replace(ROOT, north, 7))).toBe("changed");
    const half = { ...north, slots: { ...north.slots, copy: 0.5 } };
    expect(await reasonOf(here.service.regions.replace(ROOT, half, 1))).toBe("malformed");
    await here.service.regions.unregister(ROOT, "north", 1);
    expect(await reasonOf(here.service.regions.get(ANN, "north"))).toBe("region-not-found");
  });

  it("shows each caller what is for him", async () => {
    const names = async (caller: typeof ANN) =>
      (await here.service.destinations.list(caller, {})).entries.map(({ entry }) => entry.name);
    expect(await names(ANN)).not.toContain("p2-bucket");
    expect(await names(BOB)).toContain("p2-bucket");
    expect(await reasonOf(here.service.images.get(BOB, "image-1"))).toBe("image-not-found");
    expect((await here.service.images.list(BOB, {})).entries).toEqual([]);
    expect((await here.service.images.list(ROOT, {})).entries).toHaveLength(1);
    expect(await reasonOf(here.service.volumes.get(BOB, "v-1"))).toBe("volume-not-found");
  });

  it("comes page by page, also where much of it is not for the caller", async () => {
    for (let count = 0; count < 9; count += 1) {
      const project = count % 3 === 0 ? "p1" : "p2";
      await here.service.destinations.register(ROOT, {
        name: `a${count}`,
        region: "east",
        project,
        provider: "oss",
        container: "c",
        location: "oss://c/",
      });
    }
    const seen: string[] = [];
    for (let after: string | undefined, first = true; first || after !== undefined; first = false) {
      const { entries, next } = await here.service.destinations.list(ANN, {
        limit: 2,
        ...(after === undefined ? {} : { after }),
      });
      seen.push(...entries.map(({ entry }) => entry.name));
      after = next;
    }
    expect(seen).toEqual(["a0", "a3", "a6", "east-bucket", "east-images", "west-bucket", "west-images"]);
  });

  it("says how much is in use", async () => {
    await here.service.exportImage(ANN, EXPORT, never);
    await here.file.record.catalogue.images.add(storedImage({ id: "image-2", region: "west" }));
    await here.file.record.claim(ALL);
    expect(await here.service.usage(ANN)).toMatchObject({
      regions: [
        { region: "east", images: 1, running: { copy: 0, export: 1, import: 0 } },
        { region: "west", images: 1, running: { export: 0 } },
      ],
      unfinished: 1,
      exports: 1,
      weeklyExports: 1,
      quotas: { images: 100 },
    });
  });
});

it("who asked for what is noted, and what came of it", async () => {
  const { task } = await here.service.exportImage(ANN, EXPORT, never);
  await reasonOf(here.service.exportImage(BOB, EXPORT, never));
  await here.service.cancelTask(ANN, task.id);
  expect(await reasonOf(here.service.audits(ANN, { limit: 9 }))).toBe("admins-only");
  const noted = await here.service.audits(ROOT, { limit: 9 });
  expect(noted.map(({ actor, action, subject, outcome }) => [actor, action, subject, outcome])).toEqual([
    ["ann", "cancel", task.id, "done"],
    ["bob", "export", "", "image-not-found"],
    ["ann", "export", task.id, "done"],
  ]);
});

describe("while the audit log cannot be written", () => {
  beforeEach(() => {
    here.file.record.audit = () => Promise.reject(new Fault("NO_SPACE", "record.db: the disk is full"));
  });

  it("what is accepted is answered as accepted, and the daemon's log has the note", async () => {
    const { task } = await here.service.exportImage(ANN, EXPORT, never);
    expect(await here.file.record.task(task.id)).toBeDefined();
    expect((await here.service.cancelTask(ANN, task.id)).state).toBe("canceled");
    expect(here.notes).toEqual(["audit-lost", "audit-lost"]);
  });

  it("what is refused is refused for its own reason", async () => {
    const asked = here.service.exportImage(ANN, { ...EXPORT, destination: "none" }, never);
    expect(await reasonOf(asked)).toBe("destination-not-found");
    expect(here.notes).toEqual(["audit-lost"]);
  });
});

describe("a request that is repeated with its token", () => {
  const token = { value: "t-1", action: "ExportImage" };

  it("is answered as the first, also when that is accepted while the second is being checked", async () => {
    const { record } = here.file;
    const { rehearse } = record;
    const ask = () => here.service.exportImage(ANN, { ...EXPORT, token }, never);
    let first: string | undefined;
    record.rehearse = async (acceptance) => {
      record.rehearse = rehearse;
      first = (await ask()).task.id;
      await rehearse(acceptance);
    };
    expect(await ask()).toMatchObject({ when: "before", task: { id: first } });
  });

  it("is refused with other parameters, also when the first is accepted meanwhile", async () => {
    const { record } = here.file;
    const { rehearse } = record;
    const ask = (given: Partial<ExportRequest> = {}) =>
      here.service.exportImage(ANN, { ...EXPORT, ...given, token }, never);
    record.rehearse = async (acceptance) => {
      record.rehearse = rehearse;
      await ask();
      await rehearse(acceptance);
    };
    expect(await reasonOf(ask({ bandwidth: 7 }))).toBe("token-mismatch");
    expect(await reasonOf(ask({ bandwidth: 7 }))).toBe("token-mismatch");
  });
});
