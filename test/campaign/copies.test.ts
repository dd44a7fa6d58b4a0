/** CP-16 and D3 at a real daemon, computed from its event log: what runs in a region at any moment, and in which order. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { TaskEventKind, TaskState } from "../../src/api/connect/generated/diskferry/v1/task_pb.ts";
import { type Client, openClient } from "../../src/cli/client.ts";
import { writeSpread } from "../daemon/disk.ts";
import { type DaemonHarbour, daemonHarbour, leftAccess, writeConfig } from "../daemon/harbour.ts";
import { QEMU, QEMU_REASON } from "../support/qemu.ts";
import { type Evidence, gather } from "./evidence.ts";
import { type LimitSince, mostTaken, slotsFollow, startsInOrder } from "./invariants.ts";

const MiB = 1024 ** 2;
const REGIONS = ["east", "west", "north"] as const;
const PAIRS = [
  ["east", "west"],
  ["west", "north"],
  ["north", "east"],
  ["east", "east"],
] as const;
/** Bytes per second: a copy does not end before its limit is lifted. */
const CRAWL = 1024n;

describe.skipIf(!QEMU)(`twelve copies over three regions${QEMU_REASON}`, () => {
  let here: DaemonHarbour;
  let client: Client;
  const limits: LimitSince[] = [];

  beforeEach(async () => {
    limits.splice(0, limits.length, { from: 0, to: 0, most: 5 });
    here = await daemonHarbour(["--config", "daemon.yaml"]);
    writeConfig(here.path, {
      regions: "north: { imageStore: north }",
      destinations: `north: { region: north, location: ${here.path("quay")} }`,
      more: `limits: { threads: 2 }\nlog: { file: ${here.path("daemon.log")} }`,
    });
    writeSpread(here.path("files", "disk.raw"), { runs: 4, apart: MiB, data: MiB / 2 });
    await here.start();
    client = openClient({ server: here.url, token: leftAccess(here.path).token });
  });
  afterEach(() => here[Symbol.asyncDispose]());

  /** Reads events until one of them is what is waited for. */
  async function seen(is: (kind: TaskEventKind, task: string) => boolean): Promise<void> {
    for await (const { event } of client.tasks.watchTasks({ after: 0n })) {
      if (event !== undefined && is(event.kind, event.taskId)) return;
    }
  }

  async function ended(ids: readonly string[]): Promise<void> {
    const left = new Set(ids);
    await seen((kind, task) => {
      if (kind === TaskEventKind.FAILED) throw new Error(`${task} has failed`);
      if (kind === TaskEventKind.SUCCEEDED) left.delete(task);
      return left.size === 0;
    });
  }

  async function started(ids: readonly string[]): Promise<void> {
    const left = new Set(ids);
    await seen((kind, task) => {
      if (kind === TaskEventKind.STARTED) left.delete(task);
      return left.size === 0;
    });
  }

  /** Three images in each region, and copies of them all. @returns ids in order of acceptance. */
  async function copies(): Promise<string[]> {
    const images: Record<string, string[]> = {};
    const imports: string[] = [];
    for (const region of REGIONS) {
      for (const name of ["a", "b", "c", "d", "e", "f"].slice(0, region === "east" ? 6 : 3)) {
        const file = { root: "files", path: "disk.raw" };
        const disks = [{ source: { case: "file", value: file }, format: "raw" } as const];
        const { task } = await client.tasks.importImage({ region, disks, image: { name } });
        imports.push(task?.id ?? "");
        const made = task?.spec.case === "importSpec" ? task.spec.value.image?.imageId : undefined;
        images[region] = [...(images[region] ?? []), made ?? ""];
      }
    }
    await ended(imports);
    const ids: string[] = [];
    for (let count = 0; count < 12; count += 1) {
      const [from, to] = PAIRS[count % PAIRS.length] ?? PAIRS[0];
      const imageId = images[from]?.shift() ?? "";
      const request = { imageId, sourceRegion: from, targetRegion: to, target: { name: `copy-${count}` } };
      const { task } = await client.tasks.copyImage({ ...request, options: { bandwidth: CRAWL } });
      ids.push(task?.id ?? "");
    }
    return ids;
  }

  async function lastEvent(): Promise<number> {
    return Number((await client.tasks.listTasks({ pageSize: 1 })).eventSequence);
  }

  async function setCopies(most: number): Promise<void> {
    const from = await lastEvent();
    for (const region of REGIONS) {
      await client.regions.setSlots({ region, slots: { copies: most, exports: 5, imports: 5 } });
    }
    limits.push({ from, to: await lastEvent(), most });
  }

  const hurry = (ids: readonly string[]) =>
    Promise.all(ids.map((id) => client.tasks.limitTask({ id, bandwidth: 0n })));

  async function evidence(): Promise<Evidence> {
    here.daemon.kill("SIGTERM");
    await here.daemon.ended;
    return gather(here.path("state", "diskferry", "daemon"));
  }

  function expectOrder(found: Evidence): void {
    expect([...slotsFollow(found, "copy", limits), ...startsInOrder(found, "copy", limits)]).toEqual([]);
    const states = found.tasks.filter(({ spec }) => spec.kind === "copy").map(({ state }) => state);
    expect(states).toEqual(Array(12).fill("succeeded"));
  }

  it("never take more than five slots of any, start in order of acceptance, and all get through", async () => {
    const ids = await copies();
    // 0 to 6 fill the east, and 9 finds the last slot of west and north.
    await started([0, 1, 2, 3, 4, 5, 6, 9].map((index) => ids[index] ?? ""));
    const { totalSize } = await client.tasks.listTasks({ states: [TaskState.PROCESSING] });
    expect(totalSize).toBe(8n);
    await hurry(ids);
    await ended(ids);
    const found = await evidence();
    expectOrder(found);
    expect(mostTaken(found, "copy", "east")).toBe(5);
  });

  it("follow limits that are lowered and raised while they run", async () => {
    await setCopies(1);
    const ids = await copies();
    await started(ids.slice(0, 1));
    await setCopies(3);
    // 0, 2 and 3 fill the east; 1 is the other one between west and north.
    await started(ids.slice(0, 4));
    await setCopies(2);
    await hurry(ids);
    await ended(ids);
    const found = await evidence();
    expectOrder(found);
    expect(mostTaken(found, "copy", "east")).toBe(3);
  });
});
