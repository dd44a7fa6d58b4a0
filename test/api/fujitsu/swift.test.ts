/** A daemon beside a real Swift: an image goes in and out as Fujitsu's clients ask, and Swift's client fetches it. */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type DaemonHarbour, daemonHarbour, makeDisk, sameDisk, writeConfig } from "../../daemon/harbour.ts";
import { QEMU, QEMU_REASON } from "../../support/qemu.ts";
import { SWIFT, SWIFT_REASON, type SwiftServer, startSwift } from "../../support/swift.ts";

const TOKEN = "a-token-of-keystone";

describe.skipIf(!SWIFT || !QEMU)(`Fujitsu's export over Swift${SWIFT_REASON}${QEMU_REASON}`, () => {
  let swift: SwiftServer;
  let here: DaemonHarbour;

  /** As a user of Swift does it, who knows nothing of diskferry. */
  function client(...args: string[]): string {
    const login = ["-A", swift.authUrl, "-U", swift.user, "-K", swift.key];
    const { status, stdout, stderr } = spawnSync("swift", [...login, ...args], { encoding: "utf8" });
    if (status !== 0) throw new Error(`swift ${args.join(" ")}: ${stderr}`);
    return stdout;
  }

  const listed = (container: string): string[] => client("list", container).split("\n").filter(Boolean);

  async function ask(method: string, path: string, body?: unknown) {
    const reply = await fetch(here.url + path, {
      method,
      headers: { "x-auth-token": TOKEN, "content-type": "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await reply.text();
    return { status: reply.status, body: (text === "" ? {} : JSON.parse(text)) as Record<string, unknown> };
  }

  /** Polls, as clients of this API do: it has nothing else. */
  async function ended(path: string, field: string): Promise<Record<string, unknown>> {
    for (;;) {
      const { body } = await ask("GET", path);
      if (["succeeded", "failed", "canceled"].includes(String(body[field]))) return body;
      await sleep(50);
    }
  }

  beforeAll(async () => {
    swift = await startSwift();
    here = await daemonHarbour(["--config", "daemon.yaml"]);
    const { authUrl, user, key } = swift;
    for (const container of ["uploads", "exports"]) client("post", container);
    makeDisk(here.path, 40 * 1024 ** 2);
    client("upload", "--object-name", "my disk.qcow2", "uploads", here.path("disk.qcow2"));
    const sha256 = createHash("sha256").update(TOKEN).digest("hex");
    writeConfig(here.path, {
      destinations: `uploads: { region: east, location: swift://uploads, credential: swift }
  exports: { region: east, location: swift://exports, credential: swift }`,
      more: `credentials:
  swift: { swift: { login: { kind: v1, authUrl: "${authUrl}", user: "${user}", key: ${key} } } }
callers:
  tokens:
    - { name: ann, project: test, role: user, sha256: ${sha256} }`,
    });
    await here.start();
  });
  afterAll(async () => {
    await here[Symbol.asyncDispose]();
    await swift.stop();
  });

  async function imported(name: string, checksum: string) {
    const location = "/v1/AUTH_test/uploads/my disk.qcow2";
    const asked = { name, location, checksum, os_type: "centos" };
    const { status, body } = await ask("POST", "/v1/imageimport", asked);
    expect(status).toBe(201);
    return ended(`/v1/imageimport/${body["import_id"]}/status`, "import_status");
  }

  it("FJ-4, FJ-7: ends with <image name>.qcow2 and its segments, which swift downloads equal to the source", async () => {
    const sha1 = createHash("sha1")
      .update(readFileSync(here.path("disk.qcow2")))
      .digest("hex");
    const image = await imported("CentOS 7", sha1);
    expect(image).toMatchObject({ import_status: "succeeded", progress: 100, name: "CentOS 7" });

    const request = { image_id: image["id"], storage_container: "/v1/AUTH_test/exports" };
    const { status, body } = await ask("POST", "/v1/imageexport", request);
    expect(status).toBe(201);
    const export_ = await ended(`/v1/imageexport/${body["export_id"]}/status`, "export_status");
    expect(export_).toMatchObject({ export_status: "succeeded", progress: 100, image_name: "CentOS 7" });

    expect(listed("exports")).toEqual(["CentOS 7.qcow2"]);
    const segments = listed("exports_segments");
    expect(segments.length).toBeGreaterThan(0);
    expect(segments.every((name) => name.startsWith("CentOS 7.qcow2/"))).toBe(true);
    client("download", "exports", "CentOS 7.qcow2", "-o", here.path("back.qcow2"));
    sameDisk(here.path("disk.raw"), "raw", here.path("back.qcow2"), "qcow2");

    expect(await ask("POST", "/v1/imageexport", request)).toMatchObject({ body: { error_code: "40007" } });
    client("delete", "exports", "CentOS 7.qcow2");
    client("upload", "--object-name", "CentOS 7.qcow2/0001", "exports_segments", here.path("disk.qcow2"));
    expect(await ask("POST", "/v1/imageexport", request)).toMatchObject({ body: { error_code: "40007" } });
  });

  it("fails an import whose checksum is not that of the file, and leaves nothing", async () => {
    const image = await imported("damaged", "0".repeat(40));
    expect(image).toMatchObject({
      import_status: "failed",
      error_message: expect.stringContaining("0".repeat(40)),
    });
  });

  it("FJ-2: knows a container that the catalogue names and the store lacks", async () => {
    client("delete", "exports");
    const { body } = await ask("GET", "/v1/imageimport?limit=2");
    const [, first] = body["imports"] as { status: string }[];
    const image = await ask("GET", String(first?.status));
    const request = { image_id: image.body["id"], storage_container: "/v1/AUTH_test/exports" };
    expect(await ask("POST", "/v1/imageexport", request)).toMatchObject({ body: { error_code: "40008" } });
  });
});
