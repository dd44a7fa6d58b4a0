/** Every row of Fujitsu's error catalogue, raised over the wire from real state. */
import { connect } from "node:net";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { errorRow, FUJITSU_ERRORS, type FujitsuError } from "../../../src/api/fujitsu/errors.ts";
import { Fault, type FaultCode } from "../../../src/fault/fault.ts";
import { change, storedDisk } from "../../service/world.ts";
import { START } from "../../task/tasks.ts";
import { CONTAINER, EXPORT, type Fujitsu, fujitsu, IMPORT, type Reply } from "./fujitsu.ts";

let fj: Fujitsu;
beforeEach(async () => {
  fj = await fujitsu();
});
afterEach(() => fj[Symbol.asyncDispose]());

type Row = readonly [FujitsuError, string, () => Promise<Reply>];

const requestExport = (body: unknown) => fj.ask("POST", "/v1/imageexport", body);
const requestImport = (body: unknown) => fj.ask("POST", "/v1/imageimport", body);
const exporting = (given: object) => () => requestExport({ ...EXPORT, ...given });
const importing = (given: object) => () => requestImport({ ...IMPORT, ...given });
const get = (path: string) => () => fj.ask("GET", path);

async function after(prepare: () => Promise<unknown>, ask: () => Promise<Reply>): Promise<Reply> {
  await prepare();
  return ask();
}

/** Asks for an export while the store of its container fails. */
const storeFails = (code: FaultCode) => () =>
  after(async () => {
    fj.here.world.failing = new Fault(code, "the store said so");
  }, exporting({}));

const cancelled = async (...paths: readonly string[]) => {
  const id = await fj.exported();
  await fj.here.world.file.record.apply(id, START, fj.here.world.time);
  let last: Reply = { status: 0, body: {} };
  for (const path of paths) last = await fj.ask("POST", `/v1/imageexport/${id}/${path}`);
  return last;
};

const ROWS: readonly Row[] = [
  ["bodyMalformed", "no JSON", () => requestExport("{")],
  ["bodyMalformed", "a body that is no object", () => requestImport([1])],
  ["bodyMalformed", "no body", () => requestExport(undefined)],
  ["imageIdMissing", "no image_id", exporting({ image_id: undefined })],
  ["imageIdMissing", "an empty image_id", exporting({ image_id: "" })],
  ["imageIdInvalid", "an image_id that is no text", exporting({ image_id: 7 })],
  ["imageIdInvalid", "an image that is not there", exporting({ image_id: "none" })],
  ["imageIdInvalid", "an image that is not available", () => withImage({ status: "Creating" })],
  ["imageIdInvalid", "an image of the marketplace", () => withImage({ productCode: "product" })],
  ["imageIdInvalid", "an encrypted image", () => withImage({ encrypted: "yes" })],
  ["imageIdInvalid", "an image whose name makes no file", () => withImage({ name: "a/../b" })],
  [
    "imageIdInvalid",
    "an image whose disk is not stored",
    () => withImage({ disks: [{ ...storedDisk("s"), object: undefined }] }),
  ],
  ["containerMissing", "no storage_container", exporting({ storage_container: undefined })],
  ["containerInvalid", "a container that is no text", exporting({ storage_container: 1 })],
  ["containerInvalid", "a container in another form", exporting({ storage_container: "exports" })],
  ["containerInvalid", "a version that is none", exporting({ storage_container: "/v3/AUTH_p1/exports" })],
  [
    "containerInvalid",
    "an object in place of a container",
    exporting({ storage_container: `${CONTAINER}/x` }),
  ],
  [
    "containerInvalid",
    "a container's name beyond Swift's limit",
    exporting({ storage_container: `/v1/AUTH_p1/${"x".repeat(257)}` }),
  ],
  [
    "projectUnknown",
    "a container of another project",
    exporting({ storage_container: "/v1/AUTH_p2/exports" }),
  ],
  ["exportUnfinished", "the same pair again", () => after(() => fj.exported(), exporting({}))],
  [
    "fileExists",
    "a file that is there",
    () => after(async () => fj.here.world.existing.add("east-exports/debian.qcow2"), exporting({})),
  ],
  [
    "fileExists",
    "a file that another export is writing",
    async () => {
      await change(fj.here.world, { image: { name: "alpine" } });
      return after(() => fj.exported("image-2"), exporting({}));
    },
  ],
  [
    "containerUnknown",
    "a container that the catalogue lacks",
    exporting({ storage_container: "/v1/AUTH_p1/no" }),
  ],
  ["containerUnknown", "a container that the store lacks", storeFails("NOT_FOUND")],
  ["cancelTwice", "a second cancel", () => cancelled("cancel", "cancel")],
  ["exportStartInvalid", "a start that is no number", get("/v1/imageexport?start=x")],
  ["exportLimitInvalid", "a limit of nothing", get("/v1/imageexport?limit=0")],
  ["nameMissing", "no name", importing({ name: undefined })],
  ["nameInvalid", "a name that is no text", importing({ name: 1 })],
  ["nameInvalid", "a name with a line break", importing({ name: "a\nb" })],
  ["nameInvalid", "a name that is too long", importing({ name: "x".repeat(256) })],
  ["locationMissing", "no location", importing({ location: undefined })],
  ["locationInvalid", "a location without an object", importing({ location: CONTAINER })],
  ["locationInvalid", "a location in another form", importing({ location: "https://host/x.qcow2" })],
  ["locationInvalid", "a location of the other version", importing({ location: "/v2/AUTH_p1/others/x" })],
  ["locationInvalid", "a container that is not there", importing({ location: "/v1/AUTH_p1/no/x" })],
  ["locationInvalid", "an object that is not there", importing({ location: `${CONTAINER}/none` })],
  ["locationInvalid", "an object that cannot be", importing({ location: `${CONTAINER}/../x` })],
  ["checksumInvalid", "a checksum that is no SHA-1", importing({ checksum: "abc" })],
  ["idInvalid", "an id that is no UUID", importing({ id: "abc" })],
  [
    "idTaken",
    "an id that another image has",
    async () => {
      const id = "5e7f7a52-3e2a-4d55-9a11-3f1f6c3e9d10";
      return after(importing({ id }), importing({ id, name: "other", location: `${CONTAINER}/new.qcow2` }));
    },
  ],
  ["minRamInvalid", "a negative min_ram", importing({ min_ram: -1 })],
  ["minDiskInvalid", "a min_disk that is no number", importing({ min_disk: "8" })],
  ["osTypeMissing", "no os_type", importing({ os_type: undefined })],
  ["osTypeInvalid", "an os_type that cannot be", importing({ os_type: "a b" })],
  ["importUnfinished", "the same import again", () => after(importing({}), importing({}))],
  ["importStartInvalid", "a start that is no number", get("/v1/imageimport?start=x")],
  ["importLimitInvalid", "a limit that is no number", get("/v1/imageimport?limit=x")],
  ["tokenInvalid", "no token", () => fj.ask("GET", "/v1/imageexport", undefined, "")],
  ["tokenInvalid", "a token that nobody has", () => fj.ask("POST", "/v1/imageexport", EXPORT, "wrong")],
  [
    "forbidden",
    "a project that may not export",
    () => after(() => change(fj.here.world, { project: { exports: "refused" } }), exporting({})),
  ],
  [
    "forbidden",
    "a region that exports nothing",
    () => after(() => change(fj.here.world, { east: { importExport: "refused" } }), exporting({})),
  ],
  [
    "forbidden",
    "a project that may not import",
    () => after(() => change(fj.here.world, { project: { imports: "refused" } }), importing({})),
  ],
  [
    "quotaExceeded",
    "more exports than the project may have",
    () => after(() => change(fj.here.world, { project: { quotas: NO_EXPORTS } }), exporting({})),
  ],
  ["exportUnknown", "an export that is not there", get("/v1/imageexport/none/status")],
  [
    "exportFinished",
    "a cancel of what has ended",
    async () => {
      const id = await fj.exported();
      await fj.ask("POST", `/v1/imageexport/${id}/cancel`);
      return fj.ask("POST", `/v1/imageexport/${id}/cancel`);
    },
  ],
  ["importUnknown", "an import that is not there", get("/v1/imageimport/none/status")],
  [
    "importUnknown",
    "an export in its place",
    async () => get(`/v1/imageimport/${await fj.exported()}/status`)(),
  ],
  ["pathUnknown", "a path that is none", get("/v1/imageexport/none")],
  ["pathUnknown", "a path that cannot be decoded", get("/v1/imageexport/%ff/status")],
  ["methodUnknown", "another method", () => fj.ask("DELETE", "/v1/imageexport")],
  [
    "changedMeanwhile",
    "an image that changes while it is asked for",
    async () => {
      fj.here.world.meanwhile = () => change(fj.here.world, { image: { description: "another" } });
      return exporting({})();
    },
  ],
  ["bodyTooLarge", "a body beyond 1 MiB", () => requestExport(`{"image_id":"${"x".repeat(1024 ** 2)}"}`)],
  ["internal", "a defect", storeFails("INTERNAL")],
  ["storeFailed", "credentials that the store refuses", storeFails("CREDENTIALS")],
  ["unavailable", "a store that cannot be reached", storeFails("NETWORK")],
  ["unavailable", "a store that does not answer in time", storeFails("TIMEOUT")],
];

const NO_EXPORTS = { images: 9, snapshots: 9, exports: 0, weeklyExports: 9, unfinished: 9 };

async function withImage(image: object): Promise<Reply> {
  await change(fj.here.world, { image });
  return requestExport(EXPORT);
}

describe("the error catalogue", () => {
  it.each(ROWS.map(([name, what, ask]) => [errorRow(name).code, what, name, ask] as const))(
    "FJ-E%s: %s",
    async (_, __, name, ask) => {
      const { status, code, message } = errorRow(name);
      expect(await ask()).toEqual({ status, body: { error_code: code, error_message: message } });
    },
  );

  it("has no row that is not raised here, and no code twice", () => {
    const raised = new Set(ROWS.map(([name]) => name));
    expect(FUJITSU_ERRORS.filter((name) => !raised.has(name))).toEqual([]);
    const codes = FUJITSU_ERRORS.map((name) => errorRow(name).code);
    expect(new Set(codes).size).toBe(codes.length);
  });

  it("notes a defect in the log, and tells strangers nothing of it", async () => {
    const { body } = await storeFails("INTERNAL")();
    expect(JSON.stringify(body)).not.toContain("the store said so");
    expect(fj.here.log).toContainEqual(expect.objectContaining({ event: "defect" }));
  });

  it("takes nothing that breaks off for a request", async () => {
    const { hostname, port } = new URL(fj.here.url);
    const socket = connect(Number(port), hostname);
    const closed = new Promise((resolve) => socket.once("close", resolve));
    socket.write(
      "POST /v1/imageexport HTTP/1.1\r\nhost: x\r\nx-auth-token: ann-token-1\r\ncontent-length: 99\r\n\r\n{",
      () => socket.destroy(),
    );
    await closed;
    expect((await fj.ask("GET", "/v1/imageexport")).body).toEqual({ exports: [] });
  });

  it("answers any body and any query at all, and finds no defect in them", async () => {
    const value = fc.oneof(
      fc.constantFrom(
        EXPORT.image_id,
        CONTAINER,
        IMPORT.location,
        "ubuntu",
        null,
        "/v1/AUTH_p1/exports/%00",
        7,
      ),
      fc.jsonValue({ maxDepth: 2 }),
    );
    const names = [...Object.keys(EXPORT), ...Object.keys(IMPORT), "checksum", "id", "min_ram", "__proto__"];
    const body = fc.oneof(
      fc
        .record(Object.fromEntries(names.map((name) => [name, value])), { requiredKeys: [] })
        .map((asked) => JSON.stringify(asked)),
      fc.string(),
    );
    const path = fc.constantFrom("/v1/imageexport", "/v2/imageimport");
    await fc.assert(
      fc.asyncProperty(path, body, fc.string(), async (asked, sent, query) => {
        const posted = await fj.ask("POST", asked, sent);
        const listed = await fj.ask("GET", `${asked}?start=${encodeURIComponent(query)}`);
        expect(Math.max(posted.status, listed.status)).toBeLessThan(500);
      }),
      { numRuns: 100 },
    );
  });
});
