/** Imports as Fujitsu's clients ask for them. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { applied, TO_THE_END } from "../../record/record-file.ts";
import { change } from "../../service/world.ts";
import { FAILURE, START } from "../../task/tasks.ts";
import { CONTAINER, type Fujitsu, fujitsu, IMPORT } from "./fujitsu.ts";

let fj: Fujitsu;
beforeEach(async () => {
  fj = await fujitsu();
});
afterEach(() => fj[Symbol.asyncDispose]());

const QUOTAS = { images: 200, snapshots: 200, exports: 9, weeklyExports: 9, unfinished: 200 };
const ID = "5e7f7a52-3e2a-4d55-9a11-3f1f6c3e9d10";
const SHA1 = "0beec7b5ea3f0fdbc95d0dd47f3c5bc275da8a33";

async function imported(given: object = {}): Promise<string> {
  const { status, body } = await fj.ask("POST", "/v1/imageimport", { ...IMPORT, ...given });
  if (status !== 201) throw new Error(JSON.stringify(body));
  return String(body["import_id"]);
}

describe("an import", () => {
  it("is accepted with an import id, from the object that location names", async () => {
    const task = await fj.here.world.file.record.task(await imported({ checksum: SHA1.toUpperCase() }));
    expect(task).toMatchObject({ state: "queued", project: "p1", regions: ["east"] });
    expect(task?.spec).toMatchObject({
      disks: [{ source: { kind: "object", destination: "east-exports", object: "new.qcow2" }, sha1: SHA1 }],
    });
  });

  it("is shown with what was asked for", async () => {
    const id = await imported({ id: ID, min_ram: 512, min_disk: 8, os_type: "win2016SE_en" });
    expect((await fj.ask("GET", `/v1/imageimport/${id}/status`)).body).toEqual({
      import_status: "queued",
      progress: 0,
      name: "debian",
      disk_format: "qcow2",
      container_format: "bare",
      location: `${CONTAINER}/new.qcow2`,
      id: ID,
      min_ram: 512,
      min_disk: 8,
      os_type: "win2016SE_en",
    });
    const image = await fj.here.world.file.record.catalogue.images.get(ID);
    expect(image?.entry).toMatchObject({ osType: "windows", project: "p1", name: "debian" });
  });

  it("needs no memory and no disk unless it is said", async () => {
    const { body } = await fj.ask("GET", `/v2/imageimport/${await imported()}/status`);
    expect(body).toMatchObject({ min_ram: 0, min_disk: 0 });
  });

  it("is followed to its end", async () => {
    const id = await imported();
    const { record } = fj.here.world.file;
    const status = async () => (await fj.ask("GET", `/v1/imageimport/${id}/status`)).body;
    await applied(record, id, START);
    expect(await status()).toMatchObject({ import_status: "processing", progress: 1 });
    await applied(record, id, ...TO_THE_END);
    expect(await status()).toMatchObject({ import_status: "succeeded", progress: 100 });
  });

  it("says why it has failed", async () => {
    const id = await imported();
    await applied(fj.here.world.file.record, id, START, { kind: "failed", failure: FAILURE });
    const { body } = await fj.ask("GET", `/v1/imageimport/${id}/status`);
    expect(body).toMatchObject({ import_status: "failed", error_message: "lost" });
  });

  it("stands in a list of its own, newest first, at most 100 of them", async () => {
    await change(fj.here.world, { project: { quotas: QUOTAS } });
    await fj.exported();
    const first = await imported();
    const second = await imported({ name: "other" });
    const list = async (query: string) => (await fj.ask("GET", `/v1/imageimport${query}`)).body["imports"];
    expect(await list("")).toEqual([
      { import_id: second, import_status: "queued", status: `/v1/imageimport/${second}/status` },
      { import_id: first, import_status: "queued", status: `/v1/imageimport/${first}/status` },
    ]);
    expect(await list("?start=1&limit=1")).toMatchObject([{ import_id: first }]);
    for (let n = 0; n < 99; n += 1) await imported({ name: `image ${n}` });
    expect(await list("?limit=200")).toHaveLength(100);
  });
});
