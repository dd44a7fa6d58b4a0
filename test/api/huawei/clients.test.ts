/** Clients of others, unchanged, ask a daemon: Huawei's SDK, cinder and openstack. Volumes become images of each format. */
import { execFile, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { renameSync, statSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { BasicCredentials } from "@huaweicloud/huaweicloud-sdk-core";
import { ClientBuilder } from "@huaweicloud/huaweicloud-sdk-core/ClientBuilder.js";
import type { HcClient } from "@huaweicloud/huaweicloud-sdk-core/HcClient.js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type DaemonHarbour, daemonHarbour, makeDisk, sameDisk, writeConfig } from "../../daemon/harbour.ts";
import { QEMU, QEMU_REASON } from "../../support/qemu.ts";

const run = promisify(execFile);

const CINDER = spawnSync("cinder", ["--version"]).status === 0;
const OPENSTACK = spawnSync("openstack", ["--version"]).status === 0;
const missing = (program: string) => ` (skipped: python3-${program}client is not installed)`;

/** What cinder bears that does not log in: user and project. */
const TOKEN = "ann:shop";
const SECRET = "a-secret-of-ann";

interface Uploaded {
  readonly "os-volume_upload_image": Readonly<Record<string, unknown>>;
}

interface Job {
  readonly status: string;
  readonly fail_reason: string | null;
  readonly entities: { readonly process_percent: number; readonly image_id: string };
}

describe.skipIf(!QEMU)(`exports of a volume${QEMU_REASON}`, () => {
  let here: DaemonHarbour;
  let sdk: HcClient;

  beforeAll(async () => {
    here = await daemonHarbour(["--config", "daemon.yaml"]);
    makeDisk(here.path);
    const sha256 = createHash("sha256").update(TOKEN).digest("hex");
    writeConfig(here.path, {
      more: `volumes:
  v-1: { project: shop, region: east, root: files, path: disk.raw }
callers:
  tokens:
    - { name: ann, project: shop, role: user, sha256: ${sha256} }
  accessKeys:
    - { name: ann, project: shop, role: user, id: AKANN, secret: ${SECRET} }`,
    });
    renameSync(here.path("disk.raw"), here.path("files", "disk.raw"));
    await here.start();
    sdk = client(SECRET);
  });
  afterAll(() => here[Symbol.asyncDispose]());

  function client(secret: string): HcClient {
    return new ClientBuilder((options) => options)
      .withCredential(new BasicCredentials().withAk("AKANN").withSk(secret).withProjectId("shop"))
      .withEndpoint(here.url)
      .build() as HcClient;
  }

  function upload(asked: object, using: HcClient = sdk): Promise<Uploaded> {
    return using.sendRequest({
      method: "POST",
      url: "/v3/{project_id}/volumes/{volume_id}/action",
      contentType: "application/json",
      pathParams: { volume_id: "v-1" },
      queryParams: {},
      headers: {},
      data: { "os-volume_upload_image": asked },
    }) as Promise<Uploaded>;
  }

  function get<T>(url: string, pathParams: object): Promise<T> {
    return sdk.sendRequest({
      method: "GET",
      url,
      contentType: "application/json",
      pathParams,
      queryParams: {},
      headers: {},
    }) as Promise<T>;
  }

  /** Polls, as clients of this API do: it has nothing else. */
  async function imageOf(id: unknown): Promise<string> {
    for (;;) {
      const job = await get<Job>("/v1/{project_id}/jobs/{job_id}", { job_id: id });
      if (job.status === "SUCCESS") return job.entities.image_id;
      if (job.status === "FAIL") throw new Error(String(job.fail_reason));
      await sleep(50);
    }
  }

  async function expectEqual(id: unknown, format: string, name: string): Promise<void> {
    const image = here.path("east", `${await imageOf(id)}.${format}`);
    const disk = here.path("files", "disk.raw");
    // No other program reads zvhd.
    if (name === "") {
      const { status, stdout } = await here.program.run(
        ...["verify", disk, image, "--format-a", "raw", "--format-b", format],
      );
      expect([status, stdout]).toMatchObject([0, expect.stringContaining('"equal":true')]);
    } else sameDisk(disk, "raw", image, name);
    const { volume } = await get<{ volume: { status: string } }>("/v3/{project_id}/volumes/{id}", {
      id: "v-1",
    });
    expect(volume.status).toBe("available");
  }

  it.each([
    [undefined, "vhd", "vpc"],
    ["vhd", "vhd", "vpc"],
    ["zvhd", "zvhd", ""],
    ["zvhd2", "zvhd2", ""],
    ["raw", "raw", "raw"],
    ["qcow2", "qcow2", "qcow2"],
  ])("EV-5: Huawei's SDK gets disk_format %s, truly written as %s", async (asked, format, name) => {
    const said = await upload({
      image_name: "by sdk",
      ...(asked === undefined ? {} : { disk_format: asked }),
    });
    expect(said["os-volume_upload_image"]).toMatchObject({
      status: "uploading",
      disk_format: format,
      size: 1,
    });
    await expectEqual(said["os-volume_upload_image"]["image_id"], format, name);
  });

  it("EV-15: Huawei's SDK throws the code and the message of a refusal", async () => {
    await expect(upload({ image_name: "a/b" })).rejects.toMatchObject({
      httpStatusCode: 400,
      errorCode: "EVS.5400",
      errorMsg: "Malformed request body.",
    });
    await expect(upload({ image_name: "a" }, client("another secret"))).rejects.toMatchObject({
      httpStatusCode: 401,
      errorCode: "EVS.5401",
    });
  });

  it.skipIf(!CINDER)(`EV-1: cinder upload-to-image${CINDER ? "" : missing("cinder")}`, async () => {
    const { stdout } = await cinder("upload-to-image", "--disk-format", "qcow2", "v-1", "by cinder");
    expect(stdout).toContain("uploading");
    const id = /\| image_id +\| (\S+) /.exec(stdout)?.[1];
    await expectEqual(id, "qcow2", "qcow2");
    expect(statSync(here.path("east", `${id}.qcow2`)).size).toBeGreaterThan(0);
  });

  it.skipIf(!CINDER)("EV-7: cinder says why it is refused", async () => {
    await expect(cinder("upload-to-image", "--disk-format", "vmdk", "v-1", "x")).rejects.toMatchObject({
      stderr: expect.stringContaining("Malformed request body. (HTTP 400)"),
    });
    await expect(cinder("upload-to-image", "none", "x")).rejects.toMatchObject({
      stderr: expect.stringContaining("No volume with a name or ID of 'none' exists."),
    });
  });

  it.skipIf(!OPENSTACK)(
    `EV-1: openstack image create --volume${OPENSTACK ? "" : missing("openstack")}`,
    async () => {
      const { stdout } = await run("openstack", [
        ...["--os-auth-type", "admin_token", "--os-token", TOKEN, "--os-endpoint", `${here.url}/v3/shop`],
        ...["--os-volume-api-version", "3", "image", "create", "--volume", "v-1", "--disk-format", "raw"],
        ...["--container-format", "bare", "-f", "json", "by openstack"],
      ]);
      const said = JSON.parse(stdout) as Record<string, unknown>;
      expect(said).toMatchObject({ status: "uploading", volume_type: "plain", container_format: "bare" });
      await expectEqual(said["image_id"], "raw", "raw");
    },
  );

  function cinder(...args: string[]) {
    return run("cinder", [
      ...["--os-auth-type", "noauth", "--os-user-id", "ann", "--os-project-id", "shop"],
      ...["--os-endpoint", `${here.url}/v3/shop`, "--os-volume-api-version", "3.60", ...args],
    ]);
  }
});
