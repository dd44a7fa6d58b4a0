/** Every row of EVS's error catalogue, raised over the wire from real state. */
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { errorRow, HUAWEI_ERRORS, type HuaweiError } from "../../../src/api/huawei/errors.ts";
import { change } from "../../service/world.ts";
import { ACTION, type Huawei, huawei, LISTING_KEY, type Reply, UPLOAD } from "./huawei.ts";
import { BODY as SIGNED_BODY, signedHeaders } from "./signing.ts";

let ev: Huawei;
beforeEach(async () => {
  ev = await huawei();
});
afterEach(() => ev[Symbol.asyncDispose]());

type Row = readonly [HuaweiError, string, () => Promise<Reply>];

const BODY = { "os-volume_upload_image": UPLOAD };
const post = (body: unknown) => () => ev.ask("POST", ACTION, body);
const get = (path: string) => () => ev.ask("GET", path);
const uploading = (asked: object) => () => ev.upload(asked);

function given(changes: Parameters<typeof change>[1], asked: object = {}) {
  return async () => {
    await change(ev.here.world, changes);
    return ev.upload(asked);
  };
}

const QUOTAS = { images: 0, snapshots: 9, exports: 9, weeklyExports: 9, unfinished: 9 };

/** The number of each row in the list of rules. */
const NUMBERS: Readonly<Record<HuaweiError, string>> = {
  projectInvalid: "EV-E1",
  tokenInvalid: "EV-E2",
  volumeIdInvalid: "EV-E4",
  typeInvalid: "EV-E5",
  keyActions: "EV-E6",
  resourceStatus: "EV-E7",
  bodyInvalid: "EV-E8",
  volumeLocked: "EV-E9",
  volumeFrozen: "EV-E10",
  accountSuspended: "EV-E11",
  bodyMalformed: "EV-E12",
  urlMalformed: "EV-E13",
  bodyMismatch: "EV-E14",
  volumeInUse: "EV-E15",
  unauthenticated: "EV-E16",
  forbidden: "EV-E17",
  notFound: "EV-E18",
  quotaExceeded: "EV-E19",
  internal: "EV-E20",
  unavailable: "EV-E21",
  methodUnknown: "EV-E22",
};

const ROWS: readonly Row[] = [
  [
    "projectInvalid",
    "a project that is not the token's",
    () => ev.ask("POST", "/v3/p2/volumes/v-1/action", BODY),
  ],
  [
    "tokenInvalid",
    "a token that nobody has",
    () => ev.ask("POST", ACTION, BODY, { "x-auth-token": "wrong" }),
  ],
  ["volumeIdInvalid", "an id that cannot be", get("/v3/p1/volumes/%20")],
  ["typeInvalid", "force that is no boolean", uploading({ force: "yes" })],
  ["typeInvalid", "a name that is no text", uploading({ image_name: 1 })],
  ["typeInvalid", "a format that is no text", uploading({ disk_format: {} })],
  [
    "keyActions",
    "a key that may only look",
    () =>
      ev.ask(
        "POST",
        ACTION,
        SIGNED_BODY,
        signedHeaders({ url: ev.here.url, id: LISTING_KEY.id, secret: LISTING_KEY.secret }),
      ),
  ],
  ["resourceStatus", "a volume in error", given({ volume: { status: "error" } }, { force: true })],
  ["bodyInvalid", "no JSON", post("{")],
  ["bodyInvalid", "no body", post(undefined)],
  ["bodyInvalid", "a body beyond 1 MiB", post(`"${"x".repeat(1024 ** 2)}"`)],
  [
    "volumeLocked",
    "a volume that another task reads",
    given({ volume: { status: "uploading" } }, { force: true }),
  ],
  ["volumeFrozen", "a frozen volume", given({ volume: { frozen: "yes" } })],
  ["accountSuspended", "a project in arrears", given({ project: { payment: "outstanding" } })],
  ["bodyMalformed", "a list", post([])],
  ["bodyMalformed", "null", post("null")],
  ["bodyMalformed", "an action that is no object", post({ "os-volume_upload_image": "x" })],
  ["bodyMalformed", "no image_name", uploading({ image_name: undefined })],
  ["bodyMalformed", "a disk format that is none", uploading({ disk_format: "vmdk" })],
  ["urlMalformed", "a path that is none", get("/v3/p1/volumes/v-1/none")],
  ["urlMalformed", "a limit that is no number", get("/v3/p1/volumes?limit=x")],
  ["urlMalformed", "images of another kind", get("/v2/cloudimages?__imagetype=gold")],
  ["bodyMismatch", "another action", post({ "os-reset_status": {} })],
  ["volumeInUse", "a volume in use", given({ volume: { status: "in-use" } })],
  ["unauthenticated", "no token", () => ev.ask("GET", "/v3/p1/volumes", undefined, {})],
  ["forbidden", "a project that may not import", given({ project: { imports: "refused" } })],
  ["forbidden", "a region that imports nothing", given({ east: { importExport: "refused" } })],
  ["forbidden", "an image for everybody", uploading({ visibility: "public" })],
  ["notFound", "a volume that is not there", get("/v3/p1/volumes/none")],
  ["notFound", "an image that is not there", get("/v2/images/none")],
  ["notFound", "a job that is not there", get("/v1/p1/jobs/none")],
  ["methodUnknown", "another method", () => ev.ask("DELETE", "/v3/p1/volumes/v-1")],
  ["quotaExceeded", "more images than the project may have", given({ project: { quotas: QUOTAS } })],
  [
    "internal",
    "a defect",
    async () => {
      // No moment that there is: whoever stored it was wrong.
      await ev.setVolume({ updatedAt: Number.MAX_SAFE_INTEGER });
      return ev.ask("GET", "/v3/p1/volumes/v-1");
    },
  ],
  ["unavailable", "a region whose image store is not registered", given({ east: { imageStore: "none" } })],
];

describe("the error catalogue", () => {
  it.each(ROWS.map(([name, what, ask]) => [NUMBERS[name], errorRow(name).code, what, name, ask] as const))(
    "%s: %s: %s",
    async (_, __, ___, name, ask) => {
      const { status, code, message } = errorRow(name);
      const reply = await ask();
      expect([reply.status, reply.body]).toEqual([status, { error: { code, message } }]);
    },
  );

  it("has no row that is not raised here", () => {
    const raised = new Set(ROWS.map(([name]) => name));
    expect(HUAWEI_ERRORS.filter((name) => !raised.has(name))).toEqual([]);
  });

  it("answers any body at all, and finds no defect in it", async () => {
    const field = fc.oneof(
      fc.constantFrom("disk", "raw", "bare", true, false, null, "windows"),
      fc.jsonValue({ maxDepth: 2 }),
    );
    const names = [
      "image_name",
      "disk_format",
      "container_format",
      "force",
      "__os_type",
      "__proto__",
    ] as const;
    const action = fc.record(Object.fromEntries(names.map((name) => [name, field])), { requiredKeys: [] });
    const body = fc.oneof(
      action.map((asked) => JSON.stringify({ "os-volume_upload_image": asked })),
      fc.json({ maxDepth: 2 }),
      fc.string(),
    );
    await fc.assert(
      fc.asyncProperty(body, async (sent) => {
        const { status } = await ev.ask("POST", ACTION, sent);
        expect([202, 400, 403]).toContain(status);
      }),
      { numRuns: 100 },
    );
  });
});
