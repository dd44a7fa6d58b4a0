/**
 * FJ-22 to FJ-32 and D1 through the endpoint of a real daemon, whose source gives out one percent after the other. 95
 * lies between two writes of the record, where nobody outside can hold it: test/schedule/cancel.test.ts does.
 */
import { existsSync, readdirSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Task, TaskState } from "../../src/api/connect/generated/diskferry/v1/task_pb.ts";
import { type Client, openClient } from "../../src/cli/client.ts";
import { type GatedSource, gatedSource } from "../daemon/gated-source.ts";
import { type DaemonHarbour, daemonHarbour, leftAccess, sameDisk, writeConfig } from "../daemon/harbour.ts";
import { QEMU, QEMU_REASON } from "../support/qemu.ts";

describe.skipIf(!QEMU)(`a cancel through the endpoint${QEMU_REASON}`, () => {
  let here: DaemonHarbour;
  let source: GatedSource;
  let client: Client;

  beforeAll(async () => {
    here = await daemonHarbour(["--config", "daemon.yaml"]);
    source = await gatedSource(here.path("disk.raw"));
    writeConfig(here.path, {
      regions: "raw: { imageStore: raw, imageWrite: { format: raw } }",
      destinations: `raw: { region: raw, location: ${here.path("files")} }`,
      more: `urls: [${source.origin}/]\nlimits: { threads: 2 }\nlog: { file: ${here.path("daemon.log")} }`,
    });
    await here.start();
    client = openClient({ server: here.url, token: leftAccess(here.path).token });
  });
  afterAll(async () => {
    await here?.[Symbol.asyncDispose]();
    await source?.[Symbol.asyncDispose]();
  });

  let made = 0;
  async function imported(): Promise<string> {
    made += 1;
    const disks = [{ source: { case: "url", value: source.url }, format: "qcow2" } as const];
    const { task } = await client.tasks.importImage({
      region: "raw",
      disks,
      image: { name: `disk-${made}` },
    });
    return task?.id ?? "";
  }

  async function until(id: string, is: (task: Task) => boolean): Promise<Task> {
    let last: Task | undefined;
    for await (const { task } of client.tasks.watchTask({ id })) {
      if (task !== undefined && is(task)) return task;
      last = task;
    }
    throw new Error(`${id} has ended at ${last?.progress}: ${last?.failure?.message}`);
  }

  const cancel = async (id: string) => (await client.tasks.cancelTask({ id })).task;
  const final = ({ state }: Task): boolean => ![1, 2, 3].includes(state);

  async function expectNothingLeft(): Promise<void> {
    const folder = here.path("state", "diskferry", "daemon", "tasks");
    expect(readdirSync(here.path("files"))).toEqual([]);
    expect(existsSync(folder) ? readdirSync(folder) : []).toEqual([]);
    expect((await client.catalog.listImages({})).images).toEqual([]);
    const { regions } = await client.regions.getUsage({});
    expect(regions.map(({ slotsInUse }) => slotsInUse?.imports ?? 0)).toEqual([0, 0, 0]);
  }

  it("at 0 ends the task at once, and a second one is refused (FJ-24, FJ-27)", async () => {
    const set = (imports: number) =>
      client.regions.setSlots({ region: "raw", slots: { copies: 5, exports: 5, imports } });
    await set(0);
    const id = await imported();
    expect(await cancel(id)).toMatchObject({ state: TaskState.CANCELED, progress: 0, attempts: 0 });
    await expect(cancel(id)).rejects.toThrow("has canceled already");
    await set(5);
    await expectNothingLeft();
  });

  it.each([
    [10, 10, "FJ-28"],
    [11, 40, "FJ-29"],
    [40, 40, "FJ-29"],
    [41, 70, "FJ-30"],
    [70, 70, "FJ-30"],
    [71, 95, "FJ-31"],
  ])("at %i stops at exactly %i, once, and leaves nothing (%s)", async (cancelAt, stopAt) => {
    source.open(cancelAt - 10);
    const id = await imported();
    await until(id, ({ progress }) => progress === cancelAt);
    await source.held();
    expect(await cancel(id)).toMatchObject({ state: TaskState.CANCELLING, cancel: { stopAt } });
    if (cancelAt < stopAt) {
      await expect(cancel(id)).rejects.toThrow("a cancel was accepted before"); // FJ-24
      expect((await client.tasks.getTask({ id })).task?.state).toBe(TaskState.CANCELLING);
      source.open(stopAt - 11);
      // It still moves while it is cancelling.
      await until(id, ({ progress, state }) => progress === stopAt - 1 && state === TaskState.CANCELLING);
      source.open(Number.POSITIVE_INFINITY);
    }
    expect(await until(id, final)).toMatchObject({ state: TaskState.CANCELED, progress: stopAt });
    await expect(cancel(id)).rejects.toThrow("has canceled already");
    await expectNothingLeft();
  });

  it("is never asked for, and the same disk comes through", async () => {
    source.open(Number.POSITIVE_INFINITY);
    const task = await until(await imported(), final);
    expect(task).toMatchObject({ state: TaskState.SUCCEEDED, progress: 100 });
    const [object = ""] = task.spec.case === "importSpec" ? (task.spec.value.image?.objects ?? []) : [];
    sameDisk(here.path("disk.raw"), "raw", here.path("files", object), "raw");
  });
});
