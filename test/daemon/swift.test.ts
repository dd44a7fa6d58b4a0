/** A daemon whose images and exports lie in a real Swift. */
import { spawnSync } from "node:child_process";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { QEMU, QEMU_REASON } from "../support/qemu.ts";
import { SWIFT, SWIFT_REASON, type SwiftServer, startSwift } from "../support/swift.ts";
import { type DaemonHarbour, daemonHarbour, makeDisk, sameDisk, writeConfig } from "./harbour.ts";

describe.skipIf(!SWIFT || !QEMU)(`a daemon over Swift${SWIFT_REASON}${QEMU_REASON}`, () => {
  let swift: SwiftServer;
  let here: DaemonHarbour;
  let image: string;

  /** As a user of Swift does it, who knows nothing of diskferry. */
  function client(...args: string[]): string {
    const { authUrl, user, key } = swift;
    const { status, stdout, stderr } = spawnSync("swift", ["-A", authUrl, "-U", user, "-K", key, ...args], {
      encoding: "utf8",
    });
    if (status !== 0) throw new Error(`swift ${args.join(" ")}: ${stderr}`);
    return stdout;
  }

  const listed = (container: string): string[] =>
    client("list", container)
      .split("\n")
      .filter((name) => name !== "");

  beforeAll(async () => {
    swift = await startSwift();
    here = await daemonHarbour(["--config", "daemon.yaml"]);
    const { authUrl, user, key } = swift;
    for (const container of ["images", "exports"]) client("post", container);
    makeDisk(here.path, 40 * 1024 ** 2);
    client("upload", "--object-name", "uploaded.qcow2", "exports", here.path("disk.qcow2"));
    writeConfig(here.path, {
      regions: "north: { imageStore: images, imageWrite: { format: qcow2, compression: zlib } }",
      destinations: `images: { region: north, location: swift://images, credential: swift }
  exports: { region: north, location: swift://exports/nightly, credential: swift }
  uploads: { region: north, location: swift://exports, credential: swift }`,
      more: `credentials:
  swift: { swift: { login: { kind: v1, authUrl: "${authUrl}", user: "${user}", key: ${key} } } }`,
    });
    await here.start();
    const task = await here.ask(
      ...["import", "object:uploads/uploaded.qcow2", "--region", "north", "--name", "debian", "--wait"],
    );
    image = String((task["importSpec"] as { image: { imageId: string } }).image.imageId);
  });
  afterAll(async () => {
    await here[Symbol.asyncDispose]();
    await swift.stop();
  });

  it("keeps an imported image as an object that swift downloads, equal to its source", () => {
    expect(listed("images")).toEqual([`${image}.qcow2`]);
    client("download", "images", `${image}.qcow2`, "-o", here.path("image.qcow2"));
    sameDisk(here.path("disk.raw"), "raw", here.path("image.qcow2"), "qcow2");
  });

  it.each([
    ["raw", "raw"],
    ["qcow2", "qcow2"],
    ["vhd", "vpc"],
  ])("exports %s that swift downloads, equal to the source", async (format, name) => {
    await here.ask("export", "debian", `exports/disk.${format}`, "--format", format, "--wait");
    client("download", "exports", `nightly/disk.${format}`, "-o", here.path(`back.${format}`));
    sameDisk(here.path("disk.raw"), "raw", here.path(`back.${format}`), name);
  });

  it("copies from Swift into a directory of another region, and back", async () => {
    await here.ask("copy", image, "--to", "east", "--name", "in-east", "--wait");
    await here.ask("copy", "in-east", "--to", "north", "--name", "back-in-north", "--wait");
    const { disks } = (await here.ask("images", "--name", "back-in-north")) as {
      disks?: { object: string }[];
    };
    client("download", "images", String(disks?.[0]?.object), "-o", here.path("copied.qcow2"));
    sameDisk(here.path("disk.raw"), "raw", here.path("copied.qcow2"), "qcow2");
  });

  it("refuses an object that is there, or of which segments are there (FJ-7)", async () => {
    client("upload", "--object-name", "nightly/part.raw/0001", "exports_segments", here.path("disk.raw"));
    for (const name of ["disk.raw", "part.raw"]) {
      const { status, lines } = await here.run("export", image, `exports/${name}`);
      expect([status, lines.at(-1)]).toMatchObject([
        1,
        { code: "ALREADY_EXISTS", details: { reason: "object-exists", object: name } },
      ]);
    }
  });

  it("leaves nothing of a cancelled export", async () => {
    const before = [listed("exports"), listed("exports_segments")];
    const { id } = await here.ask(
      ...["export", image, "exports/slow.raw", "--format", "raw", "--bandwidth", "1M"],
    );
    const watching = here.command("watch", String(id), "--json");
    await watching.until(({ stage }) => stage === "TASK_STAGE_DATA");
    await here.ask("cancel", String(id), "--wait");
    await watching.ended;
    expect([listed("exports"), listed("exports_segments")]).toEqual(before);
  });
});
