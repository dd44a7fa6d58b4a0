/** FJ-1 to FJ-33 over the wire: Fujitsu's rules of image export, each by its number. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { TaskEvent } from "../../../src/task/step.ts";
import { applied } from "../../record/record-file.ts";
import { change } from "../../service/world.ts";
import { bytesAt, committed, FAILURE, NOW, RESULT, TOTAL } from "../../task/tasks.ts";
import { TOKENS } from "../endpoint.ts";
import { CONTAINER, EXPORT, type Fujitsu, fujitsu } from "./fujitsu.ts";

let fj: Fujitsu;
beforeEach(async () => {
  fj = await fujitsu();
});
afterEach(() => fj[Symbol.asyncDispose]());

const post = (body: unknown, token?: string) => fj.ask("POST", "/v1/imageexport", body, token);
const cancel = (id: string) => fj.ask("POST", `/v1/imageexport/${id}/cancel`);
const refusal = (code: string) => ({
  status: expect.any(Number),
  body: { error_code: code, error_message: expect.any(String) },
});

/** The events that bring a run to this progress. */
function upTo(progress: number): TaskEvent[] {
  const events: TaskEvent[] = [];
  if (progress >= 5) events.push({ kind: "opened" });
  if (progress >= 10) events.push({ kind: "planned", total: TOTAL });
  if (progress > 10) events.push(committed(bytesAt(Math.min(progress, 95))));
  if (progress >= 96) events.push({ kind: "sealing" });
  if (progress >= 97) events.push({ kind: "committing" });
  if (progress >= 99) events.push({ kind: "cataloguing" });
  return events;
}

describe("a request for an export", () => {
  it("FJ-1: needs the id of an image", async () => {
    expect(await post({ storage_container: CONTAINER })).toEqual(refusal("40001"));
  });

  it("FJ-2: needs a container", async () => {
    expect(await post({ image_id: "image-1" })).toEqual(refusal("40003"));
  });

  it.each([
    ["image-1", "/v1/AUTH_p1/exports", 201],
    ["image-1", "/v2/AUTH_p1/exports", 400],
    ["image-west", "/v2/AUTH_p1/exports", 201],
    ["image-west", "/v1/AUTH_p1/exports", 400],
  ])("FJ-3: of %s to %s is answered with %i", async (image, container, status) => {
    const reply = await post({ image_id: image, storage_container: container });
    expect(reply.status).toBe(status);
    if (status === 400) expect(reply).toEqual(refusal("40004"));
  });

  it.each(["/v1/imageexport", "/v2/imageexport"])(
    "FJ-4: is accepted at %s with an export id, and nothing is done yet",
    async (path) => {
      const { status, body } = await fj.ask("POST", path, EXPORT);
      expect([status, Object.keys(body)]).toEqual([201, ["export_id"]]);
      const task = await fj.here.world.file.record.task(String(body["export_id"]));
      expect(task).toMatchObject({ state: "queued", attempts: 0, project: "p1" });
      expect(task?.spec).toMatchObject({
        destination: "east-exports",
        objects: ["debian.qcow2"],
        format: "qcow2",
      });
    },
  );

  it("FJ-5: names an image of the caller's own project", async () => {
    for (const image of ["image-of-p2", "none"]) {
      expect(await post({ ...EXPORT, image_id: image })).toEqual(refusal("40002"));
    }
    const { images } = fj.here.world.file.record.catalogue;
    const theirs = await images.get("image-of-p2");
    if (theirs !== undefined)
      await images.replace({ ...theirs.entry, visibility: "community" }, theirs.version);
    expect(await post({ ...EXPORT, image_id: "image-of-p2" })).toEqual(refusal("40002"));
  });

  it("FJ-6: is refused while one of the same image to the same container has not ended", async () => {
    const id = await fj.exported();
    expect(await post(EXPORT)).toEqual(refusal("40006"));
    expect((await post({ ...EXPORT, storage_container: "/v1/AUTH_p1/others" })).status).toBe(201);
    await fj.run(id, ...upTo(20));
    await cancel(id);
    expect(await post(EXPORT)).toEqual(refusal("40006"));
  });

  it.each(["failed", "canceled"])("FJ-6: may be repeated after it has %s", async (end) => {
    const id = await fj.exported();
    if (end === "canceled") await cancel(id);
    else await fj.run(id, { kind: "failed", failure: FAILURE });
    expect((await fj.status(id))["export_status"]).toBe(end);
    expect((await post(EXPORT)).status).toBe(201);
  });

  it("FJ-7: is refused when the container holds a file of the image's name", async () => {
    fj.here.world.existing.add("east-exports/debian.qcow2");
    expect(await post(EXPORT)).toEqual(refusal("40007"));
    expect((await post({ ...EXPORT, image_id: "image-2" })).status).toBe(201);
  });
});

describe("the list of exports", () => {
  const list = async (query = "", token?: string) =>
    (await fj.ask("GET", `/v1/imageexport${query}`, undefined, token)).body["exports"] as Record<
      string,
      unknown
    >[];
  const three = async () => [
    await fj.exported(),
    await fj.exported("image-2"),
    await fj.exported("image-1", "/v1/AUTH_p1/others"),
  ];

  it("FJ-8: shows those of the token's project, and imports not at all", async () => {
    const ids = await three();
    await fj.ask("POST", "/v1/imageimport", {
      name: "n",
      location: `${CONTAINER}/new.qcow2`,
      os_type: "centos",
    });
    expect((await list()).map(({ export_id }) => export_id)).toEqual(ids.toReversed());
    expect([await list("", TOKENS.bob), await list("", TOKENS.root)]).toEqual([[], []]);
  });

  it("FJ-9: begins with the newest, or where start says", async () => {
    const [first, second, third] = await three();
    expect((await list("?start=0")).map(({ export_id }) => export_id)).toEqual([third, second, first]);
    expect((await list("?start=2")).map(({ export_id }) => export_id)).toEqual([first]);
    expect(await list("?start=3")).toEqual([]);
    for (const start of ["-1", "x", "1.5", ""]) {
      expect(await fj.ask("GET", `/v1/imageexport?start=${start}`)).toEqual(refusal("40013"));
    }
  });

  it("FJ-10: has as many as limit says, and 200 at most", async () => {
    const [, second] = await three();
    expect((await list("?start=1&limit=1")).map(({ export_id }) => export_id)).toEqual([second]);
    for (const limit of ["0", "-1", "many"]) {
      expect(await fj.ask("GET", `/v1/imageexport?limit=${limit}`)).toEqual(refusal("40014"));
    }
    const { record } = fj.here.world.file;
    const [task] = (await record.tasks({ where: {}, from: { is: "newest", skip: 0 }, limit: 1 })).tasks;
    if (task === undefined) throw new Error("there is no task");
    for (let n = 0; n < 200; n += 1) {
      const { spec, regions, bandwidth, requestId, project } = task;
      const again = { id: `more-${n}`, spec, regions, bandwidth, requestId, project, exclusive: [] };
      await record.accept({
        task: again,
        at: NOW,
        images: [],
        sameName: "allow",
        volumes: [],
        unchanged: [],
        limits: [],
      });
    }
    expect([(await list()).length, (await list("?limit=500")).length]).toEqual([200, 200]);
  });

  it("FJ-11: says of each how it stands, and where to ask for more", async () => {
    const id = await fj.exported();
    const [entry] = await list();
    expect(entry).toEqual({
      export_id: id,
      export_status: "queued",
      status: `/v1/imageexport/${id}/status`,
      image_id: "image-1",
      request_time: "2026-11-22T09:00:00.000Z",
    });
    const reply = await fj.ask("GET", String(entry?.["status"]));
    expect(reply).toMatchObject({ status: 200, body: { export_status: "queued" } });
  });
});

describe("the status of an export", () => {
  const states: readonly [string, string, (id: string) => Promise<unknown>][] = [
    ["FJ-12", "succeeded", (id) => fj.run(id, ...upTo(99), { kind: "succeeded", result: RESULT })],
    ["FJ-13", "failed", (id) => fj.run(id, { kind: "failed", failure: FAILURE })],
    ["FJ-14", "processing", (id) => fj.run(id)],
    ["FJ-15", "queued", async () => {}],
    ["FJ-16", "cancelling", (id) => fj.run(id, ...upTo(20)).then(() => cancel(id))],
    ["FJ-17", "canceled", (id) => cancel(id)],
  ];
  it.each(states)("%s: is %s, in list and detail", async (_, state, bring) => {
    const id = await fj.exported();
    await bring(id);
    expect((await fj.status(id))["export_status"]).toBe(state);
    const { body } = await fj.ask("GET", "/v1/imageexport");
    expect(body["exports"]).toMatchObject([{ export_id: id, export_status: state }]);
  });

  it("FJ-18: is asked for by export id; what is none, or another project's, is unknown", async () => {
    const id = await fj.exported();
    expect((await fj.ask("GET", `/v2/imageexport/${id}/status`)).status).toBe(200);
    const imported = await fj.ask("POST", "/v1/imageimport", {
      name: "n",
      location: `${CONTAINER}/new.qcow2`,
      os_type: "centos",
    });
    for (const [other, token] of [
      ["none", TOKENS.ann],
      [id, TOKENS.bob],
      [imported.body["import_id"], TOKENS.ann],
    ]) {
      const path = `/v1/imageexport/${other}`;
      expect(await fj.ask("GET", `${path}/status`, undefined, String(token))).toEqual(refusal("40401"));
      expect(await fj.ask("POST", `${path}/cancel`, undefined, String(token))).toEqual(refusal("40401"));
    }
  });

  it("FJ-19, D2: has the progress as an integer from 0 to 100", async () => {
    const id = await fj.exported();
    const seen = [(await fj.status(id))["progress"]];
    await fj.run(id);
    for (const event of [...upTo(37), { kind: "sealing" } as const, ...upTo(99).slice(-2)]) {
      await applied(fj.here.world.file.record, id, event);
      seen.push((await fj.status(id))["progress"]);
    }
    await applied(fj.here.world.file.record, id, { kind: "succeeded", result: RESULT });
    seen.push((await fj.status(id))["progress"]);
    expect(seen).toEqual([0, 5, 10, 37, 96, 97, 99, 100]);
  });

  it("FJ-20, FJ-21: repeats what was asked for, and when", async () => {
    const id = await fj.exported();
    expect(await fj.status(id)).toEqual({
      export_status: "queued",
      progress: 0,
      image_id: "image-1",
      image_name: "debian",
      storage_container: CONTAINER,
      request_time: "2026-11-22T09:00:00.000Z",
    });
    const west = await fj.exported("image-west", "/v2/AUTH_p1/exports");
    expect((await fj.status(west))["storage_container"]).toBe("/v2/AUTH_p1/exports");
  });

  it("FJ-20: knows the name of an image that is gone by now", async () => {
    const id = await fj.exported();
    await cancel(id);
    await fj.here.world.file.record.catalogue.images.remove("image-1", 1);
    expect((await fj.status(id))["image_name"]).toBe("debian");
  });

  it("FJ-13: says why it has failed", async () => {
    const id = await fj.exported();
    await fj.run(id, { kind: "failed", failure: FAILURE });
    expect((await fj.status(id))["error_message"]).toBe("lost");
  });

  it("FJ-33: may go back from processing to queued", async () => {
    const id = await fj.exported();
    await fj.run(id, ...upTo(20), { kind: "parked" });
    expect(await fj.status(id)).toMatchObject({ export_status: "queued", progress: 20 });
    await fj.run(id);
    expect((await fj.status(id))["export_status"]).toBe("processing");
  });
});

describe("a cancel", () => {
  const record = () => fj.here.world.file.record;

  it("FJ-22, FJ-26: names the export, has no answer but 202, and is seen in the status", async () => {
    const id = await fj.exported();
    await fj.run(id, ...upTo(20));
    expect(await cancel(id)).toEqual({ status: 202, body: {} });
    expect((await fj.status(id))["export_status"]).toBe("cancelling");
  });

  it.each([
    ["succeeded", (id: string) => fj.run(id, ...upTo(99), { kind: "succeeded", result: RESULT })],
    ["failed", (id: string) => fj.run(id, { kind: "failed", failure: FAILURE })],
    ["canceled", (id: string) => cancel(id)],
  ] as const)("FJ-23: is refused when the export has %s", async (_, end) => {
    const id = await fj.exported();
    await end(id);
    expect(await cancel(id)).toEqual(refusal("40402"));
  });

  it("FJ-24: is accepted once", async () => {
    const id = await fj.exported();
    await fj.run(id, ...upTo(20));
    expect((await cancel(id)).status).toBe(202);
    expect(await cancel(id)).toEqual(refusal("40010"));
  });

  it("FJ-25: is never withdrawn, not even by a restart", async () => {
    const id = await fj.exported();
    await fj.run(id, ...upTo(20));
    await cancel(id);
    await record().recover("host-1", NOW);
    expect((await fj.status(id))["export_status"]).toBe("cancelling");
    const succeeds = await record().apply(id, { kind: "succeeded", result: RESULT }, NOW);
    expect(succeeds).toMatchObject({ refused: expect.any(String) });
  });

  it("FJ-27: ends an export that waits at once", async () => {
    const id = await fj.exported();
    await cancel(id);
    expect(await fj.status(id)).toMatchObject({ export_status: "canceled", progress: 0 });
  });

  it.each([
    ["FJ-28", 1, 1],
    ["FJ-28", 5, 5],
    ["FJ-28", 10, 10],
    ["FJ-29", 11, 40],
    ["FJ-29", 40, 40],
    ["FJ-30", 41, 70],
    ["FJ-30", 70, 70],
    ["FJ-31", 71, 95],
    ["FJ-31", 95, 95],
    ["FJ-32", 96, 96],
  ])("%s: at %i stops at %i, never beyond, and leaves cancelling for canceled alone", async (_, at, line) => {
    const id = await fj.exported();
    await fj.run(id, ...upTo(at));
    expect((await fj.status(id))["progress"]).toBe(at);
    expect((await cancel(id)).status).toBe(202);
    expect(await fj.status(id)).toMatchObject({ export_status: "cancelling", progress: at });
    if (at < line) {
      // Progress goes on while it is cancelling, and a large part does not carry it beyond the line.
      await applied(record(), id, committed(bytesAt(line - 1)));
      expect(await fj.status(id)).toMatchObject({ export_status: "cancelling", progress: line - 1 });
      expect(await record().apply(id, { kind: "stopped" }, NOW)).toHaveProperty("refused");
      await applied(record(), id, committed(TOTAL));
    }
    expect(await fj.status(id)).toMatchObject({ export_status: "cancelling", progress: line });
    await applied(record(), id, { kind: "stopped" });
    expect(await fj.status(id)).toMatchObject({ export_status: "canceled", progress: line });
  });

  it.each([97, 99])("FJ-32, D1: is refused at %i, where the result is being published", async (at) => {
    const id = await fj.exported();
    await fj.run(id, ...upTo(at));
    expect(await cancel(id)).toEqual(refusal("40402"));
    expect((await fj.status(id))["export_status"]).toBe("processing");
  });
});

it("FJ-3: an admin changes how containers of a region are written", async () => {
  await change(fj.here.world, { east: { swiftApiVersion: "v2" } });
  expect((await post({ ...EXPORT, storage_container: "/v2/AUTH_p1/exports" })).status).toBe(201);
});
