/** Every command against a real daemon: what it asks for, what it says, and with which status it ends. */
import { existsSync, readdirSync, statSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { QEMU, QEMU_REASON } from "../support/qemu.ts";
import { type DaemonHarbour, daemonHarbour, type Line, leftAccess, makeDisk, sameDisk } from "./harbour.ts";

describe.skipIf(!QEMU)(`the commands that ask a daemon${QEMU_REASON}`, () => {
  let here: DaemonHarbour;
  let image: string;
  const stored = (...names: string[]): string => here.path("state", "diskferry", "daemon", ...names);

  beforeAll(async () => {
    here = await daemonHarbour();
    makeDisk(here.path);
    await here.start();
    const task = await here.ask(
      ...["import", "file:home/disk.qcow2", "--region", "east", "--name", "debian", "--wait"],
    );
    image = String((task["importSpec"] as { image: Line }).image["imageId"]);
  });
  afterAll(() => here[Symbol.asyncDispose]());

  it("import: the image is there, as it was outside", async () => {
    expect(await here.ask("images", "--name", "debian")).toMatchObject({
      id: image,
      region: "east",
      status: "IMAGE_STATUS_AVAILABLE",
    });
    sameDisk(here.path("disk.raw"), "raw", stored("east", "images", `${image}.qcow2`), "qcow2");
  });

  it.each([
    ["raw", []],
    ["qcow2", ["--compression", "zstd"]],
    ["vhd", []],
  ])("export --format %s: qemu-img reads the same", async (format, options) => {
    const object = `by-name.${format}`;
    const task = await here.ask(
      ...["export", "debian", `east-exports/${object}`, "--format", format, ...options, "--verify", "--wait"],
    );
    expect(task).toMatchObject({ state: "TASK_STATE_SUCCEEDED", progress: 100 });
    const format2 = format === "vhd" ? "vpc" : format;
    sameDisk(here.path("disk.raw"), "raw", stored("east", "exports", object), format2);
  });

  it("export: answers with the task at once, and makes a name where none is given", async () => {
    const { id } = await here.ask("export", image, "east-exports", "--prefix", "nightly");
    expect(await here.ask("watch", String(id))).toMatchObject({
      state: "TASK_STATE_SUCCEEDED",
      exportSpec: { objects: [expect.stringMatching(new RegExp(`^nightly_${image}_.*\\.qcow2$`))] },
    });
  });

  it("copy: the same image in another region, and in no other than asked for", async () => {
    const task = await here.ask("copy", image, "--to", "west", "--name", "copied", "--wait");
    expect(task).toMatchObject({ state: "TASK_STATE_SUCCEEDED", regions: ["east", "west"] });
    const { id } = await here.ask("images", "--region", "west", "--name", "copied");
    sameDisk(here.path("disk.raw"), "raw", stored("west", "images", `${id}.qcow2`), "qcow2");
  });

  it("--check asks for nothing", async () => {
    const before = await here.run("tasks");
    expect(await here.ask("export", image, "east-exports/new.raw", "--check")).toEqual({ event: "checked" });
    const refused = await here.run("export", image, "nowhere/new.raw", "--check");
    expect([refused.status, refused.lines.at(-1)]).toMatchObject([1, { code: "NOT_FOUND" }]);
    expect((await here.run("tasks")).stdout).toBe(before.stdout);
  });

  it("--client-token makes a repetition harmless", async () => {
    const ask = ["export", image, "east-exports/once.raw", "--format", "raw", "--client-token", "once"];
    const first = await here.ask(...ask, "--wait");
    expect((await here.ask(...ask))["id"]).toBe(first["id"]);
  });

  it("tasks: newest first, and those that are wanted", async () => {
    const { lines } = await here.run("tasks", "--kind", "import", "--state", "succeeded", "--limit", "1");
    expect(lines).toMatchObject([{ kind: "TASK_KIND_IMPORT", state: "TASK_STATE_SUCCEEDED" }]);
    const times = (await here.run("tasks")).lines.map(({ acceptTime }) => String(acceptTime));
    expect(times).toEqual(times.toSorted().reverse());
    expect((await here.run("tasks", "--state", "failed")).stdout).toBe("");
  });

  it("task: one of them", async () => {
    const [last] = (await here.run("tasks", "--limit", "1")).lines;
    expect(await here.ask("task", String(last?.["id"]))).toEqual(last);
    const none = await here.run("task", "none");
    expect([none.status, none.lines.at(-1)]).toMatchObject([
      1,
      { event: "error", code: "NOT_FOUND", details: { reason: "task-not-found" } },
    ]);
  });

  it("watch: the events from the first one, without a gap", async () => {
    const watching = here.command("watch", "--after", "0");
    await watching.until(({ kind }) => kind === "TASK_EVENT_KIND_SUCCEEDED");
    watching.kill("SIGINT");
    const { status, stdout } = await watching.ended;
    expect(status).toBe(130);
    const kinds = stdout
      .split("\n")
      .flatMap((line) => (line === "" ? [] : [(JSON.parse(line) as Line)["kind"]]));
    expect(kinds.slice(0, 4)).toEqual(
      ["ACCEPTED", "STARTED", "OPENED", "PLANNED"].map((kind) => `TASK_EVENT_KIND_${kind}`),
    );
  });

  it("cancel: the task stops at its line, and leaves nothing", async () => {
    const { id } = await here.ask(
      ...["export", image, "east-exports/slow.raw", "--format", "raw", "--bandwidth", "2M"],
    );
    const watching = here.command("watch", String(id));
    await watching.until(({ stage }) => stage === "TASK_STAGE_DATA");
    expect(await here.ask("cancel", String(id), "--wait")).toMatchObject({ state: "TASK_STATE_CANCELED" });
    expect((await watching.ended).status).toBe(1);
    expect(readdirSync(stored("east", "exports")).filter((name) => name.includes("slow"))).toEqual([]);
    const again = await here.run("cancel", String(id));
    expect([again.status, again.lines.at(-1)]).toMatchObject([1, { code: "PRECONDITION" }]);
  });

  it("a task that fails ends the command that waits for it with status 1 and its code", async () => {
    const { status, lines } = await here.run(
      ...[
        "import",
        "file:home/disk.raw",
        "--region",
        "east",
        "--name",
        "liar",
        "--source-format",
        "qcow2",
        "--wait",
      ],
    );
    expect([status, lines.at(-1)]).toMatchObject([1, { event: "error", code: "FORMAT_MISMATCH" }]);
  });

  it("--wait that is interrupted leaves the task at work, and says how to find it", async () => {
    const waiting = here.command(
      ...["import", "file:home/disk.raw", "--region", "west", "--name", "left", "--bandwidth", "4M"],
      ...["--wait", "--json"],
    );
    let id = "";
    await waiting.until((task) => {
      id = String(task["id"]);
      return task["stage"] === "TASK_STAGE_DATA";
    });
    waiting.kill("SIGINT");
    const { status, stdout } = await waiting.ended;
    expect([status, JSON.parse(stdout.trim().split("\n").at(-1) ?? "")]).toMatchObject([
      130,
      { code: "CANCELED", message: expect.stringContaining(`diskferry watch ${id}`), details: { task: id } },
    ]);
    await here.run("limits", "--task", id, "--bandwidth", "0");
    expect(await here.ask("watch", id)).toMatchObject({ state: "TASK_STATE_SUCCEEDED" });
  });

  it("regions and limits: what there is, and what may be", async () => {
    expect((await here.run("regions")).lines.map(({ id }) => id)).toEqual(["east", "west"]);
    await here.ask("limits", "east", "--copies", "2", "--bandwidth", "64M");
    const [east] = (await here.run("regions")).lines;
    expect(east).toMatchObject({
      slots: { copies: 2, exports: 5, imports: 5 },
      bandwidth: String(64 * 1024 ** 2),
    });
    expect(await here.ask("limits", "east", "--exports", "3")).toMatchObject({
      regions: [{ region: "east", slots: { copies: 2, exports: 3, imports: 5 } }, { region: "west" }],
    });
  });

  it.each([
    ["no destination", ["export", "debian"]],
    ["a source of no kind", ["import", "disk.qcow2", "--region", "east", "--name", "x"]],
    ["compression without a format", ["export", "debian", "east-exports/x", "--compression", "zstd"]],
    ["a limit without a region", ["limits", "--copies", "2"]],
    ["a server that is no URL", ["tasks", "--server", "nonsense"]],
    ["a state that is none", ["tasks", "--state", "lost"]],
  ])("wrong usage ends with status 2: %s", async (_, command) => {
    expect((await here.program.run(...command)).status).toBe(2);
  });

  it("a name that several images bear is refused with their ids", async () => {
    await here.ask("import", "file:home/disk.raw", "--region", "west", "--name", "debian", "--wait");
    const { status, lines } = await here.run("export", "debian", "east-exports/x.raw");
    expect([status, lines.at(-1)]).toMatchObject([2, { message: expect.stringContaining(image) }]);
    expect(
      await here.ask("export", "debian", "east-exports/x.raw", "--region", "east", "--check"),
    ).toBeTruthy();
  });

  it("knows nobody without the token, and shows the token to nobody", async () => {
    const { token } = leftAccess(here.path);
    expect(statSync(stored("access.json")).mode & 0o777).toBe(0o600);
    const refused = await here.run("tasks", "--token", "wrong-token");
    expect([refused.status, refused.lines.at(-1)]).toMatchObject([1, { code: "CREDENTIALS" }]);
    const lost = await here.run("tasks", "--server", "http://127.0.0.1:1");
    expect([lost.status, lost.lines.at(-1)]).toMatchObject([1, { code: "NETWORK" }]);
    here.daemon.kill("SIGTERM");
    const { status, stdout, stderr } = await here.daemon.ended;
    expect(status).toBe(0);
    for (const text of [stdout, stderr, JSON.stringify([refused, lost])]) expect(text).not.toContain(token);
    expect(existsSync(stored("tasks"))).toBe(true);
    expect(readdirSync(stored("tasks"))).toEqual([]);
  });
});
