/** Requests that are signed with an access key, by a signer of the test's own, written after the published scheme. */
import { createHash, createHmac } from "node:crypto";
import { once } from "node:events";
import { connect } from "node:http2";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { NOW } from "../../task/tasks.ts";
import { endpoint, KEY } from "../endpoint.ts";
import { ACTION, type Huawei, huawei, UPLOAD } from "./huawei.ts";

let ev: Huawei;
beforeEach(async () => {
  ev = await huawei();
});
afterEach(() => ev[Symbol.asyncDispose]());

const DATE = "20261122T090000Z";
const BODY = JSON.stringify({ "os-volume_upload_image": UPLOAD });
const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");

interface Signing {
  readonly method?: string;
  readonly path?: string;
  readonly query?: string;
  readonly body?: string;
  readonly date?: string;
  readonly id?: string;
  readonly secret?: string;
  readonly names?: readonly string[];
  readonly host?: string;
}

function signed({
  method = "POST",
  path = ACTION,
  query = "",
  body = BODY,
  date = DATE,
  id = KEY.id,
  secret = KEY.secret,
  names = ["host", "x-project-id", "x-sdk-date"],
  host = new URL(ev.here.url).host,
}: Signing = {}): Record<string, string> {
  const headers: Record<string, string> = {
    host,
    "x-project-id": "p1",
    "x-sdk-date": date,
  };
  const lines = names.map((name) => `${name}:${headers[name]}\n`).join("");
  const canonical = [method, `${path}/`, query, lines, names.join(";"), sha256(body)].join("\n");
  const text = `SDK-HMAC-SHA256\n${date}\n${sha256(canonical)}`;
  const signature = createHmac("sha256", secret).update(text).digest("hex");
  const { host: _host, ...sent } = headers;
  return {
    ...sent,
    authorization: `SDK-HMAC-SHA256 Access=${id}, SignedHeaders=${names.join(";")}, Signature=${signature}`,
  };
}

const statusOf = async (headers: Record<string, string>, body = BODY, path = ACTION) =>
  (await ev.ask("POST", path, body, headers)).status;

describe("a request that is signed", () => {
  it("EV-2: is its key's holder's, who stands in the audit log", async () => {
    expect(await statusOf(signed())).toBe(202);
    const [audit] = await ev.here.world.file.record.audits({ limit: 1 });
    expect(audit).toMatchObject({ actor: "ann", project: "p1", action: "import", outcome: "done" });
  });

  it("may have a query, in whatever order it is sent, and characters that are encoded", async () => {
    const query = "limit=3&name=a%20b%2A";
    const headers = signed({ method: "GET", path: "/v3/p1/volumes", query, body: "" });
    const reply = await ev.ask("GET", "/v3/p1/volumes?name=a%20b*&limit=3", undefined, headers);
    expect([reply.status, reply.body]).toEqual([200, { volumes: [] }]);
  });

  it.each([
    ["with another secret", { secret: "secret-of-bob" }],
    ["with a key that nobody has", { id: "AK-none" }],
    ["for another path", { path: "/v3/p1/volumes/v-2/action" }],
    ["for another method", { method: "PUT" }],
    ["for another body", { body: "{}" }],
    ["for another query", { query: "force=true" }],
    ["without its date", { names: ["host", "x-project-id"] }],
    ["without its host", { names: ["x-project-id", "x-sdk-date"] }],
    ["with a header that it does not send", { names: ["host", "x-none", "x-sdk-date"] }],
    ["sixteen minutes ago", { date: "20261122T084400Z" }],
    ["sixteen minutes ahead", { date: "20261122T091600Z" }],
    ["at a date that is none", { date: "yesterday" }],
  ])("%s is nobody's", async (_, signing) => {
    const { status, body } = await ev.ask("POST", ACTION, BODY, signed(signing));
    expect([status, body]).toMatchObject([401, { error: { code: "EVS.5401" } }]);
    expect(JSON.stringify(body)).not.toContain(KEY.secret);
  });

  it.each([
    "SDK-HMAC-SHA256 Access=AK-ann",
    "SDK-HMAC-SHA256 ",
    "SDK-HMAC-SHA256 Access=, SignedHeaders=, Signature=",
  ])("in no form that it can have is nobody's: %s", async (authorization) => {
    expect(await statusOf({ authorization, "x-sdk-date": DATE })).toBe(401);
  });

  it("with a key that is disabled is nobody's", async () => {
    const service = ev.here.world.service;
    await using closed = await endpoint({ service, keys: [{ ...KEY, state: "disabled" }] });
    const headers = signed({ host: new URL(closed.url).host });
    const reply = await fetch(closed.url + ACTION, { method: "POST", headers, body: BODY });
    expect(reply.status).toBe(401);
  });

  it("may be fourteen minutes old", async () => {
    ev.here.world.time = NOW + 14 * 60_000;
    expect(await statusOf(signed())).toBe(202);
  });

  it("is not believed when a token stands beside it", async () => {
    const headers = { ...signed({ secret: "wrong-secret" }), "x-auth-token": "ann-token-1" };
    expect(await statusOf(headers)).toBe(401);
  });

  it("reaches its own project alone", async () => {
    const path = "/v3/p2/volumes/v-1/action";
    expect(await statusOf(signed({ path }), BODY, path)).toBe(400);
  });

  it("never shows its secret in the log", async () => {
    await statusOf(signed());
    await statusOf(signed({ secret: "wrong-secret" }));
    expect(JSON.stringify(ev.here.log)).not.toContain(KEY.secret);
    expect(ev.here.log).toContainEqual(
      expect.objectContaining({
        fields: expect.objectContaining({ caller: "ann", operation: "huawei.UploadVolume" }),
      }),
    );
  });
});

describe("over HTTP/2", () => {
  it("a signature counts as well, and so does the host that it names", async () => {
    const session = connect(ev.here.url);
    const headers = signed({ method: "GET", path: "/v3/p1/volumes", body: "" });
    const stream = session.request({ ":path": "/v3/p1/volumes", ...headers });
    const [reply] = (await once(stream, "response")) as [Record<string, unknown>];
    expect(reply[":status"]).toBe(200);
    stream.close();
    session.close();
    await once(session, "close");
  });
});
