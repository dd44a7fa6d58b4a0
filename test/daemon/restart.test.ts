/** The daemon ends in every way, with tasks under way, and takes up what it was doing. */
import { readdirSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { QEMU, QEMU_REASON } from "../support/qemu.ts";
import { type GatedSource, gatedSource } from "./gated-source.ts";
import { type DaemonHarbour, daemonHarbour, sameDisk, writeConfig } from "./harbour.ts";

/** Clusters that have landed when the source is held. */
const SOME = 8;

describe.skipIf(!QEMU)(`a daemon with tasks under way${QEMU_REASON}`, () => {
  let here: DaemonHarbour;
  let source: GatedSource;

  beforeEach(async () => {
    here = await daemonHarbour(["--config", "daemon.yaml"]);
    source = await gatedSource(here.path("disk.raw"));
    source.open(SOME);
    configure({});
    await here.start();
  });
  afterEach(async () => {
    await here?.[Symbol.asyncDispose]();
    await source?.[Symbol.asyncDispose]();
  });

  function configure({ port = 0, drainSeconds = 3600 }): void {
    writeConfig(here.path, {
      listen: `cleartext: { port: ${port} }`,
      more: `urls: [${source.origin}/]\nlimits: { drainSeconds: ${drainSeconds}, threads: 2 }`,
    });
  }

  const held = (name: string): string[] => readdirSync(here.path("state", "diskferry", "daemon", name));

  /** Imports a disk that comes to its end only when its source is opened. */
  async function importHeld(name: string, region = "east"): Promise<string> {
    const task = await here.ask("import", source.url, "--region", region, "--format", "raw", "--name", name);
    return String(task["id"]);
  }

  /** Watches until data has landed. */
  async function moving(id: string): Promise<void> {
    const watching = here.command("watch", id, "--json");
    await watching.until(({ progress }) => Number(progress) > 10);
    watching.kill("SIGKILL");
    await watching.ended;
  }

  /** Watches to the end. @returns the object that has landed. */
  async function finished(id: string, region = "east"): Promise<string> {
    source.open(Number.POSITIVE_INFINITY);
    const task = await here.ask("watch", id);
    expect(task).toMatchObject({ state: "TASK_STATE_SUCCEEDED", progress: 100 });
    const [object = ""] = (task["importSpec"] as { image: { objects: string[] } }).image.objects;
    sameDisk(here.path("disk.raw"), "raw", here.path(region, object), "raw");
    return object;
  }

  it("parks them on SIGTERM, ends with status 0, and goes on where it stopped", async () => {
    here.daemon.kill("SIGKILL");
    await here.daemon.ended;
    configure({ drainSeconds: 1 });
    await here.start();
    const id = await importHeld("parked");
    await moving(id);
    here.daemon.kill("SIGTERM");
    const { status, stdout } = await here.daemon.ended;
    expect([status, stdout]).toEqual([0, expect.stringContaining('{"event":"ended"}')]);

    await here.start();
    const found = await here.ask("task", id);
    expect(found["progress"]).toBeGreaterThan(10);
    const object = await finished(id);
    expect(await here.ask("task", id)).toMatchObject({ attempts: 2 });
    // Nothing but the image: no part, no journal.
    expect([readdirSync(here.path("east")), held("tasks")]).toEqual([[object], []]);
  });

  it("loses nothing to SIGKILL: all of them go on, and what waits keeps its place", async () => {
    await here.ask("limits", "east", "--imports", "1");
    const east = await importHeld("one");
    const west = await importHeld("two", "west");
    const waits = await importHeld("three");
    await moving(east);
    await moving(west);
    here.daemon.kill("SIGKILL");
    await here.daemon.ended;

    await here.start();
    expect((await here.ask("task", east))["progress"]).toBeGreaterThan(10);
    expect(await here.ask("task", waits)).toMatchObject({ state: "TASK_STATE_QUEUED", attempts: 0 });
    const objects = [await finished(east), await finished(waits)].sort();
    const other = await finished(west, "west");
    expect([readdirSync(here.path("east")).sort(), readdirSync(here.path("west"))]).toEqual([
      objects,
      [other],
    ]);
    expect(held("tasks")).toEqual([]);
  });

  it("carries out a cancel that was accepted before SIGKILL, and leaves nothing", async () => {
    const id = await importHeld("cancelled");
    await moving(id);
    await here.ask("cancel", id);
    here.daemon.kill("SIGKILL");
    await here.daemon.ended;
    await here.start();
    source.open(Number.POSITIVE_INFINITY);
    const { status, lines } = await here.run("watch", id);
    expect([status, lines.at(-1)]).toMatchObject([1, { state: "TASK_STATE_CANCELED" }]);
    expect([readdirSync(here.path("east")), held("tasks")]).toEqual([[], []]);
    expect((await here.run("images")).lines).toEqual([]);
  });

  it("watchers stay over a restart, and see the end", async () => {
    const id = await importHeld("watched");
    await moving(id);
    // A port of its own would be another one after the restart.
    const { port } = new URL(here.url);
    here.daemon.kill("SIGKILL");
    await here.daemon.ended;
    configure({ port: Number(port) });
    await here.start();
    const watching = here.command("watch", id, "--json");
    await watching.until(({ progress }) => Number(progress) > 10);
    here.daemon.kill("SIGKILL");
    await here.daemon.ended;
    await here.start();
    source.open(Number.POSITIVE_INFINITY);
    const { status, stdout } = await watching.ended;
    expect(status).toBe(0);
    expect(stdout.trim().split("\n").at(-1)).toContain("TASK_STATE_SUCCEEDED");
  });

  it("ends at once on a second signal", async () => {
    await moving(await importHeld("hasty"));
    here.daemon.kill("SIGTERM");
    await here.daemon.until(({ event }) => event === "draining");
    here.daemon.kill("SIGTERM");
    expect((await here.daemon.ended).status).toBe(130);
  });

  it("shares its state directory with no other daemon", async () => {
    const { status, stderr, stdout } = await here.program.run("serve", "--config", "daemon.yaml");
    expect([status, stdout]).toEqual([1, ""]);
    expect(stderr).toContain("record.db");
    expect(stderr).toContain("[CONFLICT]");
    await here.ask("regions");
  });
});
