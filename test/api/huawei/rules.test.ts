/** EV-1 to EV-17 over the wire: the rules of exporting a volume as an image, each by its number. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { applied, TO_THE_END } from "../../record/record-file.ts";
import { CANCEL, FAILURE, START } from "../../task/tasks.ts";
import { ACTION, type Huawei, huawei, UPLOAD } from "./huawei.ts";

let ev: Huawei;
beforeEach(async () => {
  ev = await huawei();
});
afterEach(() => ev[Symbol.asyncDispose]());

const record = () => ev.here.world.file.record;
const shown = async () =>
  (await ev.ask("GET", "/v3/p1/volumes/v-1")).body["volume"] as Record<string, unknown>;
const refusal = (status: number, code: string) => ({
  status,
  body: { error: { code, message: expect.any(String) } },
});
const GIB = 1024 ** 3;

describe("the request", () => {
  it.each(["/v3", "/v2"])(
    "EV-1: is a POST to %s/{project_id}/volumes/{volume_id}/action",
    async (version) => {
      const body = { "os-volume_upload_image": UPLOAD };
      expect((await ev.ask("POST", `${version}/p1/volumes/v-1/action`, body)).status).toBe(202);
      const { spec, project } = await ev.task();
      expect([project, spec.disks]).toEqual(["p1", [{ source: { kind: "volume", volume: "v-1" } }]]);
    },
  );

  it("EV-2: needs a token, and one of the project", async () => {
    const body = { "os-volume_upload_image": UPLOAD };
    expect(await ev.ask("POST", ACTION, body, {})).toMatchObject(refusal(401, "EVS.5401"));
    expect(await ev.ask("POST", ACTION, body, { "x-auth-token": "wrong" })).toMatchObject(
      refusal(400, "EVS.0002"),
    );
    expect(await ev.ask("POST", "/v3/p2/volumes/v-1/action", body)).toMatchObject(refusal(400, "EVS.0001"));
  });

  it("EV-3: has the marker os-volume_upload_image", async () => {
    expect(await ev.ask("POST", ACTION, {})).toMatchObject(refusal(400, "EVS.5400"));
    expect(await ev.ask("POST", ACTION, { "os-extend": { new_size: 9 } })).toMatchObject({
      body: { error: { code: "EVS.5400", message: "Request body and URI mismatch." } },
    });
  });

  it.each(["ami", "ari", "aki", "ovf", "bare", undefined])(
    "EV-4: takes the container format %s, and keeps it",
    async (container_format) => {
      const { status, body } = await ev.upload({ container_format });
      const said = container_format ?? "bare";
      expect([status, body]).toMatchObject([202, { "os-volume_upload_image": { container_format: said } }]);
      const image = await ev.ask("GET", `/v2/images/${(await ev.task()).spec.to.image}`);
      expect(image.body["container_format"]).toBe(said);
    },
  );

  it.each(["docker", "", "BARE"])("EV-4: refuses the container format %j", async (container_format) => {
    expect(await ev.upload({ container_format })).toMatchObject(refusal(400, "EVS.5400"));
  });

  it.each(["vhd", "zvhd", "zvhd2", "raw", "qcow2", undefined])(
    "EV-5: takes the disk format %s, and has it written",
    async (disk_format) => {
      const { status, body } = await ev.upload({ disk_format });
      const said = disk_format ?? "vhd";
      expect([status, body]).toMatchObject([202, { "os-volume_upload_image": { disk_format: said } }]);
      expect((await ev.task()).spec.to.write).toEqual({ format: said });
    },
  );

  it.each(["vmdk", "vdi", "vhdx", "ploop", "iso", ""])(
    "EV-5: refuses the disk format %j",
    async (disk_format) => {
      expect(await ev.upload({ disk_format })).toMatchObject(refusal(400, "EVS.5400"));
    },
  );

  it("EV-6: has force as a boolean", async () => {
    expect(await ev.upload({ force: "true" })).toMatchObject(refusal(400, "EVS.1018"));
    expect((await ev.upload({ force: false })).status).toBe(202);
  });

  it.each([
    ["available", undefined, 202],
    ["available", true, 202],
    ["in-use", undefined, 400],
    ["in-use", false, 400],
    ["in-use", true, 202],
    ["error", true, 400],
    ["downloading", true, 400],
  ] as const)(
    "EV-7: a volume that is %s, with force %s, is answered with %i",
    async (status, force, answer) => {
      await ev.setVolume({ status });
      const reply = await ev.upload(force === undefined ? {} : { force });
      expect(reply.status).toBe(answer);
      if (answer === 400 && status === "in-use") {
        expect(reply.body).toEqual({ error: { code: "EVS.5400", message: "Must specify a valid status." } });
      }
    },
  );

  it.each(["a", "x".repeat(128), "a-b.c_d e", "系统盘 1", "0", "-"])(
    "EV-8: takes the name %j",
    async (image_name) => {
      const { body } = await ev.upload({ image_name });
      expect(body).toMatchObject({ "os-volume_upload_image": { image_name } });
      const image = await record().catalogue.images.get((await ev.task()).spec.to.image);
      expect(image?.entry.name).toBe(image_name);
    },
  );

  it.each([undefined, "", "x".repeat(129), " a", "a ", "a/b", "a\nb", "a:b", "é"])(
    "EV-8: refuses the name %j",
    async (image_name) => {
      expect(await ev.upload({ image_name })).toMatchObject(refusal(400, "EVS.5400"));
    },
  );

  it("EV-8: lets two images have one name", async () => {
    await ev.upload();
    await applied(record(), (await ev.task()).id, START, { kind: "failed", failure: FAILURE });
    expect((await ev.upload()).status).toBe(202);
  });

  it.each([
    // What the volume says, its status, what is asked for, and what the image gets.
    [undefined, "available", undefined, "linux"],
    [undefined, "available", "windows", "windows"],
    [undefined, "available", "linux", "linux"],
    ["windows", "available", "linux", "windows"],
    ["linux", "available", "windows", "linux"],
    ["windows", "available", undefined, "windows"],
    [undefined, "in-use", "windows", "linux"],
    ["windows", "in-use", "linux", "windows"],
  ] as const)(
    "EV-9: of a volume with %s that is %s, asked for %s, the image has %s",
    async (own, status, asked, has) => {
      await ev.setVolume({ status, imageMetadata: own === undefined ? {} : { __os_type: own } });
      const { status: answer } = await ev.upload({
        force: true,
        ...(asked === undefined ? {} : { __os_type: asked }),
      });
      expect(answer).toBe(202);
      const image = await record().catalogue.images.get((await ev.task()).spec.to.image);
      expect(image?.entry.osType).toBe(has);
    },
  );

  it("EV-9: refuses any other system", async () => {
    expect(await ev.upload({ __os_type: "bsd" })).toMatchObject(refusal(400, "EVS.5400"));
  });

  it("takes what Cinder's clients send besides, and nothing that it cannot do", async () => {
    const cinder = { container_format: "bare", disk_format: "raw", force: false };
    expect((await ev.upload({ ...cinder, visibility: "public", protected: false })).status).toBe(403);
    expect((await ev.upload({ ...cinder, visibility: "private", protected: true })).status).toBe(400);
    expect((await ev.upload({ ...cinder, visibility: "private", protected: false })).status).toBe(202);
  });
});

describe("the answer", () => {
  it("EV-10, EV-13, EV-14, EV-17: is 202 with the image, the volume and its type", async () => {
    const extraSpecs = {
      "RESKEY:availability_zones": "az1,az2",
      "availability-zone": "az1",
      "os-vendor-extended:sold_out_availability_zones": "az2",
      volume_backend_name: "sas",
      "HW:availability_zone": "az1",
    };
    await ev.setVolume({
      size: 40 * GIB - 1,
      description: "root disk",
      type: { id: "t-1", name: "SAS", description: "fast", extraSpecs, qosSpecs: null, visibility: "public" },
    });
    const { status, body } = await ev.upload({ disk_format: "qcow2" });
    const { spec } = await ev.task();
    expect([status, body]).toEqual([
      202,
      {
        "os-volume_upload_image": {
          id: "v-1",
          status: "uploading",
          size: 40,
          display_description: "root disk",
          updated_at: "2026-11-22T09:00:00.000000",
          volume_type: {
            id: "t-1",
            name: "SAS",
            description: "fast",
            extra_specs: extraSpecs,
            qos_specs_id: null,
            is_public: true,
          },
          image_id: spec.to.image,
          image_name: "disk",
          container_format: "bare",
          disk_format: "qcow2",
        },
      },
    ]);
  });

  it.each([
    ["available", "succeeded", [START, ...TO_THE_END]],
    ["in-use", "succeeded", [START, ...TO_THE_END]],
    ["available", "failed", [START, { kind: "failed", failure: FAILURE }]],
    ["in-use", "canceled", [CANCEL]],
  ] as const)(
    "EV-11: a volume that was %s is uploading, and is so again when the task has %s",
    async (before, _, events) => {
      await ev.setVolume({ status: before });
      expect((await ev.upload({ force: true })).body).toMatchObject({
        "os-volume_upload_image": { status: "uploading" },
      });
      expect((await shown())["status"]).toBe("uploading");
      expect(await ev.upload({ force: true })).toMatchObject(refusal(400, "EVS.2068"));
      await applied(record(), (await ev.task()).id, ...events);
      expect((await shown())["status"]).toBe(before);
    },
  );

  it("EV-12: has times in UTC with six digits and no zone", async () => {
    ev.here.world.time = Date.UTC(2018, 0, 11, 1, 50, 25, 800);
    const { body } = await ev.upload();
    expect(body).toMatchObject({ "os-volume_upload_image": { updated_at: "2018-01-11T01:50:25.800000" } });
    expect((await shown())["updated_at"]).toBe("2018-01-11T01:50:25.800000");
  });

  it("EV-15: says what is wrong in error.code and error.message", async () => {
    expect(
      await ev.ask("POST", "/v3/p1/volumes/none/action", { "os-volume_upload_image": UPLOAD }),
    ).toMatchObject({
      status: 404,
      body: {
        error: {
          code: "EVS.5404",
          message: "Resource(Volume, Snapshot, Backup .etc) cound not be found.",
        },
      },
    });
  });

  it("EV-16: the image stands in the list of private images, from queued to active", async () => {
    await ev.upload({ disk_format: "qcow2" });
    const { id, spec } = await ev.task();
    const image = async () => {
      const { body } = await ev.ask("GET", "/v2/cloudimages?__imagetype=private&name=disk");
      return (body["images"] as Record<string, unknown>[])[0];
    };
    expect(await image()).toMatchObject({
      id: spec.to.image,
      status: "queued",
      __imagetype: "private",
      size: null,
    });
    await applied(record(), id, START);
    expect(await image()).toMatchObject({ status: "saving" });
    const landed = {
      object: "o",
      format: "qcow2",
      size: 7,
      virtualSize: 9,
      checksums: {},
      verified: "by the store",
    } as const;
    const succeeded = { kind: "succeeded", result: { objects: [landed] } } as const;
    await applied(record(), id, ...TO_THE_END.slice(0, -1), succeeded);
    expect(await image()).toMatchObject({ status: "active", size: 7, virtual_size: 9, disk_format: "qcow2" });
  });
});

describe("what stands beside it", () => {
  it("jobs tell how far an export has come, by the id of its task or of its image", async () => {
    await ev.upload();
    const { id, spec } = await ev.task();
    const job = async (path: string) => (await ev.ask("GET", path)).body;
    const paths = [`/v1/p1/jobs/${id}`, `/v1/p1/jobs/${spec.to.image}`, `/v1/cloudimages/job/${id}`];
    for (const path of paths) {
      expect(await job(path)).toMatchObject({ job_id: id, status: "INIT", entities: { process_percent: 0 } });
    }
    await applied(record(), id, START, { kind: "opened" });
    expect(await job(paths[0] ?? "")).toMatchObject({ status: "RUNNING", entities: { process_percent: 5 } });
    await applied(record(), id, { kind: "failed", failure: FAILURE });
    expect(await job(paths[0] ?? "")).toMatchObject({
      status: "FAIL",
      error_code: "NETWORK",
      fail_reason: "lost",
    });
  });

  it("a job that succeeds says so, with its image", async () => {
    await ev.upload();
    const { id, spec } = await ev.task();
    await applied(record(), id, START, ...TO_THE_END);
    const { body } = await ev.ask("GET", `/v1/p1/jobs/${id}`);
    expect(body).toMatchObject({
      status: "SUCCESS",
      entities: { process_percent: 100, image_id: spec.to.image },
      end_time: expect.any(String),
    });
  });

  it("versions are there for everybody, and the one that was asked for is the one that answers", async () => {
    const all = await ev.ask("GET", "/", undefined, {});
    expect(all.status).toBe(300);
    expect(all.body["versions"]).toMatchObject([
      { id: "v2.0" },
      { id: "v3.0", status: "CURRENT", min_version: "3.0", links: [{ href: `${ev.here.url}/v3/` }] },
    ]);
    expect((await ev.ask("GET", "/v3/", undefined, {})).body).toMatchObject({ versions: [{ id: "v3.0" }] });
    const { headers } = await ev.ask("GET", "/v3/p1/volumes/v-1", undefined, {
      "x-auth-token": "ann-token-1",
      "openstack-api-version": "volume 3.60",
    });
    expect(headers.get("openstack-api-version")).toBe("volume 3.60");
  });

  it("volumes are listed, by name, too, and only the project's own", async () => {
    await ev.setVolume({ name: "root" });
    const ids = async (path: string, token = "ann-token-1") =>
      (
        (await ev.ask("GET", path, undefined, { "x-auth-token": token })).body["volumes"] as { id: string }[]
      ).map(({ id }) => id);
    expect(await ids("/v3/p1/volumes/detail")).toEqual(["v-1"]);
    expect(await ids("/v3/p1/volumes?name=root&limit=1")).toEqual(["v-1"]);
    expect(await ids("/v3/p1/volumes?name=none")).toEqual([]);
    expect(await ids("/v3/p2/volumes", "bob-token-2")).toEqual([]);
  });

  it("images and volumes are listed of the caller's own project, even for an admin", async () => {
    const root = { "x-auth-token": "root-token-3" };
    expect((await ev.ask("GET", "/v2/cloudimages", undefined, root)).body).toEqual({ images: [] });
    expect((await ev.ask("GET", "/v3/ops/volumes", undefined, root)).body).toEqual({ volumes: [] });
  });

  it("what belongs to another project is not there", async () => {
    await ev.upload();
    const { id, spec } = await ev.task();
    const bob = { "x-auth-token": "bob-token-2" };
    for (const path of [
      "/v3/p2/volumes/v-1",
      `/v2/images/${spec.to.image}`,
      `/v1/p2/jobs/${id}`,
      `/v1/p2/jobs/${spec.to.image}`,
    ]) {
      expect(await ev.ask("GET", path, undefined, bob)).toMatchObject(refusal(404, "EVS.5404"));
    }
  });
});
