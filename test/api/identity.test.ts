import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { connect as connectHttp2 } from "node:http2";
import { request as httpsRequest } from "node:https";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { HttpRequest } from "../../src/api/call.ts";
import { identifier } from "../../src/api/identify.ts";
import { type Endpoint, endpoint, GRANTS, post, TOKENS, taskIn } from "./endpoint.ts";
import { type Certificates, certificates, OPENSSL, tlsAddress } from "./programs.ts";

describe("a token in X-Auth-Token, as OpenStack's clients bear it", () => {
  const identify = identifier(GRANTS);
  const asked = (headers: Record<string, string | string[]>) =>
    identify({ headers, socket: {} } as unknown as HttpRequest)?.name;

  it("tells who asks", () => {
    expect(asked({ "x-auth-token": TOKENS.ann })).toBe("ann");
    expect(asked({ "x-auth-token": TOKENS.root })).toBe("root");
  });

  it.each(["", "forged", `Bearer ${TOKENS.ann}`])("is refused: %j", (token) => {
    expect(asked({ "x-auth-token": token })).toBeUndefined();
  });

  it("does not count beside an authorization", () => {
    const token = { "x-auth-token": TOKENS.ann };
    expect(asked({ ...token, authorization: "Bearer forged" })).toBeUndefined();
    expect(asked({ ...token, authorization: `Bearer ${TOKENS.bob}` })).toBe("bob");
  });
});

describe("a bearer token", () => {
  let here: Endpoint;
  beforeEach(async () => {
    here = await endpoint();
    await taskIn(here, "t-1");
  });
  afterEach(() => here[Symbol.asyncDispose]());

  const get = (authorization: string) =>
    post(here.url, "TaskService/GetTask", { id: "t-1" }, { authorization });

  it.each([
    ["in lower case", `bearer ${TOKENS.ann}`],
    ["after several spaces", `Bearer   ${TOKENS.ann}`],
  ])("tells who asks %s", async (_, authorization) => {
    expect((await get(authorization)).status).toBe(200);
  });

  it.each([
    ["none", ""],
    ["another scheme", `Basic ${btoa(`ann:${TOKENS.ann}`)}`],
    ["no token", "Bearer"],
    ["an unknown token", "Bearer ann-token-2"],
    ["the beginning of one", `Bearer ${TOKENS.ann.slice(0, -1)}`],
    ["more than one", `Bearer ${TOKENS.ann}x`],
    ["the digest of one", `Bearer ${GRANTS.tokens[0]?.sha256}`],
    ["two at once", `Bearer ${TOKENS.ann}, Bearer ${TOKENS.root}`],
    ["a very long one", `Bearer ${"a".repeat(8000)}`],
  ])("is refused: %s", async (_, authorization) => {
    const reply = await get(authorization);
    expect(reply).toMatchObject({ status: 401, body: { code: "unauthenticated" } });
    expect(reply.headers.get("www-authenticate")).toBe('Bearer realm="diskferry"');
    expect(JSON.stringify(reply.body)).not.toContain(TOKENS.ann.slice(0, -1));
  });

  it("is asked for before the body is read", async () => {
    expect(
      (await post(here.url, "TaskService/GetTask", "{ no JSON", { authorization: "Bearer x" })).status,
    ).toBe(401);
  });

  it("never reaches the log", async () => {
    await get(`Bearer ${TOKENS.ann}`);
    await get("Bearer forged-token");
    await expect.poll(() => here.log.length).toBe(2);
    expect(JSON.stringify(here.log)).not.toMatch(/ann-token-1|forged-token/);
  });

  it("is configured by its SHA-256 alone", () => {
    const granted = { name: "eve", project: "p1", role: "admin" } as const;
    const open = () => identifier({ tokens: [{ ...granted, sha256: "secret" }], certificates: [] });
    expect(open).toThrow("64 hex digits");
  });
});

describe("the trace of a request", () => {
  const TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  let here: Endpoint;
  beforeEach(async () => {
    here = await endpoint();
  });
  afterEach(() => here[Symbol.asyncDispose]());

  const EXPORT = { imageId: "image-1", destination: "east-bucket", objectName: "a.qcow2" };
  const ask = (headers: Record<string, string>) => post(here.url, "TaskService/ExportImage", EXPORT, headers);

  it("is logged, and handed to the task", async () => {
    const reply = await ask({ "x-request-id": "mine:1", traceparent: TRACE });
    expect(reply.headers.get("x-request-id")).toBe("mine:1");
    expect(reply.body).toMatchObject({ task: { requestId: "mine:1", traceparent: TRACE } });
    await expect
      .poll(() => here.log.at(-1)?.fields)
      .toMatchObject({
        requestId: "mine:1",
        traceparent: TRACE,
        operation: "/diskferry.v1.TaskService/ExportImage",
        caller: "ann",
        project: "p1",
        status: 200,
        from: "127.0.0.1",
      });
  });

  it.each([
    ["a line break in disguise", { "x-request-id": "a%0d%0aX: y b" }],
    ["quotes", { "x-request-id": '"}{"' }],
    ["far too long", { "x-request-id": "a".repeat(65) }],
    ["no trace", { traceparent: "01" }],
    ["a version that cannot be", { traceparent: TRACE.replace("00-", "ff-") }],
    ["no trace id", { traceparent: `00-${"0".repeat(32)}-b7ad6b7169203331-01` }],
    ["no parent id", { traceparent: `00-0af7651916cd43dd8448eb211c80319c-${"0".repeat(16)}-01` }],
    ["upper case", { traceparent: TRACE.toUpperCase() }],
  ])("is made anew when the client sends %s", async (_, headers) => {
    const { body } = await ask(headers as Record<string, string>);
    expect(body).toMatchObject({ task: { requestId: "made-1", traceparent: "" } });
  });
});

describe.skipIf(OPENSSL !== "")(`a client certificate${OPENSSL}`, () => {
  let made: Certificates;
  let here: Endpoint;
  beforeEach(async () => {
    made = await certificates();
  });
  afterEach(async () => {
    await here[Symbol.asyncDispose]();
    await made[Symbol.asyncDispose]();
  });

  const ann = { name: "ann", project: "p1", role: "user" } as const;
  const open = async (match: "subject" | "certificate") => {
    const { fingerprint256 } = new X509Certificate(made.pem["client.crt"] ?? "");
    const grant =
      match === "subject"
        ? { by: "subject" as const, commonName: "ann-laptop" }
        : { by: "certificate" as const, sha256: fingerprint256.replaceAll(":", "") };
    const grants = { tokens: GRANTS.tokens, certificates: [{ ...ann, match: grant }] };
    here = await endpoint({ tls: tlsAddress(made), grants });
    await taskIn(here, "t-1");
  };
  const statusFor = (client: "client" | "stranger" | "none", headers: Record<string, string> = {}) =>
    new Promise((resolve, reject) => {
      const sent = httpsRequest({
        host: "127.0.0.1",
        port: here.server.tls?.port,
        ca: made.pem["authority.crt"],
        ...(client === "none" ? {} : { key: made.pem[`${client}.key`], cert: made.pem[`${client}.crt`] }),
        path: "/diskferry.v1.TaskService/GetTask",
        method: "POST",
        headers: { "content-type": "application/json", ...headers },
        agent: false,
      });
      sent.on("response", (reply) => {
        reply.resume();
        resolve(reply.statusCode);
      });
      sent.on("error", reject);
      sent.end('{"id":"t-1"}');
    });

  it.each(["subject", "certificate"] as const)("tells who asks by its %s", async (match) => {
    await open(match);
    expect(await statusFor("client")).toBe(200);
  });

  it("tells who asks over HTTP/2, too", async () => {
    await open("subject");
    const session = connectHttp2(`https://127.0.0.1:${here.server.tls?.port}`, {
      ca: made.pem["authority.crt"] ?? "",
      key: made.pem["client.key"] ?? "",
      cert: made.pem["client.crt"] ?? "",
    });
    const stream = session.request({
      ":method": "POST",
      ":path": "/diskferry.v1.TaskService/GetTask",
      "content-type": "application/json",
    });
    stream.end('{"id":"t-1"}');
    const [headers] = await once(stream, "response");
    expect(headers[":status"]).toBe(200);
    session.destroy();
  });

  it("counts as none when no authority of ours has signed it", async () => {
    await open("subject");
    expect(await statusFor("stranger")).toBe(401);
    expect(await statusFor("none")).toBe(401);
  });

  it("is not looked at when there is a token", async () => {
    await open("subject");
    expect(await statusFor("client", { authorization: "Bearer forged" })).toBe(401);
    expect(await statusFor("client", { authorization: `Bearer ${TOKENS.bob}` })).toBe(404);
    expect(await statusFor("stranger", { authorization: `Bearer ${TOKENS.ann}` })).toBe(200);
  });
});
