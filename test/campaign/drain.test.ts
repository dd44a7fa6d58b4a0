/** Tasks that come while the daemon drains: they are accepted, durable, and wait for its next start. */
import { createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { AdminService } from "../../src/api/connect/generated/diskferry/v1/admin_service_pb.ts";
import { TaskState } from "../../src/api/connect/generated/diskferry/v1/task_pb.ts";
import { type Client, openClient } from "../../src/cli/client.ts";
import { bearing } from "../api/endpoint.ts";
import { type GatedSource, gatedSource } from "../daemon/gated-source.ts";
import { type DaemonHarbour, daemonHarbour, leftAccess, writeConfig } from "../daemon/harbour.ts";
import { QEMU, QEMU_REASON } from "../support/qemu.ts";

describe.skipIf(!QEMU)(`a daemon that drains${QEMU_REASON}`, () => {
  let here: DaemonHarbour;
  let source: GatedSource;
  let client: Client;

  async function start(): Promise<void> {
    await here.start();
    client = openClient({ server: here.url, token: leftAccess(here.path).token });
  }

  beforeAll(async () => {
    here = await daemonHarbour(["--config", "daemon.yaml"]);
    source = await gatedSource(here.path("disk.raw"));
    writeConfig(here.path, {
      more: `urls: [${source.origin}/]\nlimits: { threads: 2, drainSeconds: 3600 }\nlog: { file: ${here.path("daemon.log")} }`,
    });
    await start();
  });
  afterAll(async () => {
    await here?.[Symbol.asyncDispose]();
    await source?.[Symbol.asyncDispose]();
  });

  async function imported(name: string): Promise<string> {
    const disks = [{ source: { case: "url", value: source.url }, format: "qcow2" } as const];
    const options = { clientToken: name };
    const { task } = await client.tasks.importImage({ region: "east", disks, image: { name }, options });
    return task?.id ?? "";
  }

  const state = async (id: string) => (await client.tasks.getTask({ id })).task;

  it("accepts tasks, starts none, and the next daemon brings them to their end", async () => {
    // What it reads is held: it drains until it is killed.
    const running = await imported("running");
    await source.held();
    const { token } = leftAccess(here.path);
    const admin = createClient(
      AdminService,
      createConnectTransport({ baseUrl: here.url, httpVersion: "1.1", interceptors: [bearing(token)] }),
    );
    await admin.drain({});
    const drained = await imported("while it drains");
    here.daemon.kill("SIGTERM");
    await here.daemon.until(({ event }) => event === "draining");
    const ending = await imported("while it ends");
    for (const id of [drained, ending]) {
      expect(await state(id)).toMatchObject({ state: TaskState.QUEUED, attempts: 0 });
    }
    here.daemon.kill("SIGKILL");
    await here.daemon.ended;

    await start();
    source.open(Number.POSITIVE_INFINITY);
    expect(await imported("while it ends")).toBe(ending);
    for (const id of [running, drained, ending]) {
      for await (const _ of client.tasks.watchTask({ id }));
      expect(await state(id)).toMatchObject({ state: TaskState.SUCCEEDED });
    }
  });
});
