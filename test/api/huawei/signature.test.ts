/** Requests that are signed with an access key. */
import { once } from "node:events";
import { connect } from "node:http2";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { NOW } from "../../task/tasks.ts";
import { endpoint, KEY } from "../endpoint.ts";
import { ACTION, type Huawei, huawei, LISTING_KEY } from "./huawei.ts";
import { BODY, DATE, type Signing, signedHeaders } from "./signing.ts";

let ev: Huawei;
beforeEach(async () => {
  ev = await huawei();
});
afterEach(() => ev[Symbol.asyncDispose]());

const signed = (signing: Partial<Signing> = {}) => signedHeaders({ url: ev.here.url, ...signing });

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
    const headers = signed({ url: closed.url });
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

  it("EV-E6: may ask for what its key's actions name, and for nothing else", async () => {
    const { id, secret } = LISTING_KEY;
    const list = signed({ id, secret, method: "GET", path: "/v3/p1/volumes", body: "" });
    expect((await ev.ask("GET", "/v3/p1/volumes", undefined, list)).status).toBe(200);
    expect(await ev.ask("POST", ACTION, BODY, signed({ id, secret }))).toMatchObject({
      status: 403,
      body: { error: { code: "EVS.1027" } },
    });
  });

  it("EV-E17: makes no image when its key is bound to resource groups", async () => {
    const { service } = ev.here.world;
    await using bound = await endpoint({ service, keys: [{ ...KEY, resourceGroups: ["rg-1"] }] });
    const headers = signed({ url: bound.url });
    const reply = await fetch(bound.url + ACTION, { method: "POST", headers, body: BODY });
    expect([reply.status, await reply.json()]).toMatchObject([403, { error: { code: "EVS.5403" } }]);
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
