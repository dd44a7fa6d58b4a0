/** D1 through the endpoint of a real daemon, whose Swift is held: how late a cancel may come. */
import { readdirSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { TaskStage, TaskState } from "../../src/api/connect/generated/diskferry/v1/task_pb.ts";
import { type Client, openClient } from "../../src/cli/client.ts";
import { writeSpread } from "../daemon/disk.ts";
import { type DaemonHarbour, daemonHarbour, leftAccess, writeConfig } from "../daemon/harbour.ts";
import { openAccount, type SwiftStore, swiftStore } from "../kill/swift-store.ts";
import { QEMU, QEMU_REASON } from "../support/qemu.ts";
import { SWIFT, SWIFT_REASON } from "../support/swift.ts";

const MiB = 1024 ** 2;

describe.skipIf(!SWIFT || !QEMU)(`a late cancel${SWIFT_REASON}${QEMU_REASON}`, () => {
  let store: SwiftStore;
  let here: DaemonHarbour;
  let client: Client;
  let image: string;

  beforeAll(async () => {
    store = await swiftStore();
    here = await daemonHarbour(["--config", "daemon.yaml"]);
    const { ST_AUTH, ST_USER, ST_KEY } = store.environment;
    writeConfig(here.path, {
      destinations: "dock: { region: east, location: swift://images, credential: swift }",
      more: `credentials:
  swift: { swift: { login: { kind: v1, authUrl: "${ST_AUTH}", user: "${ST_USER}", key: ${ST_KEY} } } }
log: { file: ${here.path("daemon.log")} }`,
    });
    writeSpread(here.path("files", "disk.raw"), { runs: 2, apart: MiB, data: MiB / 2 });
    await here.start();
    client = openClient({ server: here.url, token: leftAccess(here.path).token });
    const done = await here.ask(
      ...["import", "file:files/disk.raw", "--region", "east", "--name", "disk", "--wait"],
    );
    image = (done["importSpec"] as { image: { imageId: string } }).image.imageId;
  });
  afterAll(async () => {
    await here?.[Symbol.asyncDispose]();
    await store?.[Symbol.asyncDispose]();
  });

  async function exported(objectName: string): Promise<string> {
    const { task } = await client.tasks.exportImage({
      source: { case: "imageId", value: image },
      destination: "dock",
      object: { case: "objectName", value: objectName },
      write: { format: "qcow2" },
    });
    return task?.id ?? "";
  }

  const now = async (id: string) => (await client.tasks.getTask({ id })).task;

  async function ended(id: string): Promise<void> {
    for await (const _ of client.tasks.watchTask({ id }));
  }

  it("at 96, while the last part is sent, keeps the object from being published, and leaves nothing", async () => {
    // Of an image as small as this all parts wait for the head, and go when the object is sealed.
    const { reached, release } = store.hold("part");
    const id = await exported("late.qcow2");
    await reached;
    expect(await now(id)).toMatchObject({ stage: TaskStage.SEALING, progress: 96 });
    await client.tasks.cancelTask({ id });
    await expect(client.tasks.cancelTask({ id })).rejects.toThrow("a cancel was accepted before"); // FJ-24
    release();
    await ended(id);
    expect(await now(id)).toMatchObject({ state: TaskState.CANCELED, progress: 96, cancel: { stopAt: 96 } });
    const account = await openAccount(store.swift);
    expect([await account.names("images"), await store.orphans()]).toEqual([[], []]);
    expect(readdirSync(here.path("state", "diskferry", "daemon", "tasks"))).toEqual([]);
  });

  it("is refused once the object is being published, and the task succeeds", async () => {
    const { reached, release } = store.hold("complete");
    const id = await exported("published.qcow2");
    await reached;
    expect(await now(id)).toMatchObject({ stage: TaskStage.COMMITTING, progress: 97 });
    await expect(client.tasks.cancelTask({ id })).rejects.toThrow("too late to cancel");
    release();
    await ended(id);
    expect(await now(id)).toMatchObject({ state: TaskState.SUCCEEDED, progress: 100 });
    expect(await store.digest("published.qcow2")).toBeDefined();
  });
});
