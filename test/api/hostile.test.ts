/** Whatever comes in: a clear answer, or a closed connection, and a server that goes on as before. */
import { once } from "node:events";
import { connect as connectHttp2, constants } from "node:http2";
import { connect, type Socket } from "node:net";
import { text } from "node:stream/consumers";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { MiB } from "../../src/bytes/units.ts";
import { type Endpoint, endpoint, post, TOKENS, taskIn } from "./endpoint.ts";

let here: Endpoint;
beforeEach(async () => {
  here = await endpoint();
  await taskIn(here, "t-1");
});
afterEach(async () => {
  expect((await fetch(`${here.url}/healthz`)).status).toBe(200);
  expect((await post(here.url, "TaskService/GetTask", { id: "t-1" })).status).toBe(200);
  expect(here.log.filter(({ event }) => event === "defect")).toEqual([]);
  await here[Symbol.asyncDispose]();
});

const GET = "/diskferry.v1.TaskService/GetTask";
const AUTHORIZED = { authorization: `Bearer ${TOKENS.ann}` };

type Body = string | Uint8Array<ArrayBuffer> | ReadableStream;

const send = async (body: Body, headers: Record<string, string> = {}, path = GET) => {
  const all = { "content-type": "application/json", ...AUTHORIZED, ...headers };
  const reply = await fetch(here.url + path, {
    method: "POST",
    headers: all,
    body,
    duplex: "half",
  } as RequestInit);
  return { status: reply.status, text: await reply.text() };
};

describe("a body that is no request", () => {
  it.each<[string, Body]>([
    ["is empty", ""],
    ["is no JSON", "{"],
    ["is a list", "[]"],
    ["is a number", "1e999"],
    ["is null", "null"],
    ["is a text", '"t-1"'],
    ["has a field that nobody knows", '{"id":"t-1","colour":"red"}'],
    ["has a number for a text", '{"id":1}'],
    ["has a list for a text", '{"id":["t-1"]}'],
    ["has an object for a text", '{"id":{"toString":"x"}}'],
    ["tries the prototype", '{"__proto__":{"id":"t-1"}}'],
    ["tries the constructor", '{"constructor":{"id":"t-1"}}'],
    ["is deep", '{"id":'.repeat(50_000)],
    ["is deep in lists", `{"id":${"[".repeat(50_000)}${"]".repeat(50_000)}}`],
    ["is no UTF-8", new Uint8Array([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x7d])],
    ["is half a surrogate", '{"id":"\\ud800"}'],
    ["is binary", new Uint8Array(1000).fill(0x80)],
  ])("%s", async (_, body) => {
    const reply = await send(body);
    expect([400, 404]).toContain(reply.status);
    expect(JSON.parse(reply.text)).toMatchObject({
      code: expect.stringMatching(/^(invalid_argument|not_found)$/),
    });
    expect(reply.text).toMatch(/"code":"(USAGE|NOT_FOUND)"/);
    expect(reply.text.length).toBeLessThan(2000);
  });

  it.each([
    ["an enum that is none", "TaskService/ListTasks", { kinds: ["TASK_KIND_STEAL"] }],
    ["two ways to say one thing", "TaskService/ExportImage", { imageId: "a", volume: { volumeId: "b" } }],
    ["an int64 that is none", "TaskService/ListTasks", { start: "1.5" }],
    ["an int32 out of range", "TaskService/ListTasks", { limit: 2 ** 40 }],
    ["a time that is none", "TaskService/ListTasks", { acceptedFrom: "yesterday" }],
    ["a forged page token", "TaskService/ListTasks", { pageToken: "eyJiZWZvcmUiOjF9" }],
    ["a page token of rubbish", "TaskService/ListTasks", { pageToken: "\u0000'; DROP TABLE task" }],
    ["an object outside", "TaskService/ExportImage", named("../../etc/passwd")],
    ["an object with a NUL", "TaskService/ExportImage", named("a\u0000b")],
    ["an object of a line break", "TaskService/ExportImage", named("a\nb")],
    ["an object far too long", "TaskService/ExportImage", named("a".repeat(2000))],
    [
      "a token far too long",
      "TaskService/ExportImage",
      { ...named("a"), options: { clientToken: "a".repeat(65) } },
    ],
    ["a URL with a password", "TaskService/ImportImage", disk({ url: "https://a:b@h/x" })],
    ["a URL of a file", "TaskService/ImportImage", disk({ url: "file:///etc/passwd" })],
  ])("has %s", async (_, method, body) => {
    const reply = await post(here.url, method, body);
    expect(reply).toMatchObject({ status: 400, body: { code: "invalid_argument" } });
  });

  it.each([
    ["a path out of the root", { root: "volumes", path: "../../etc/shadow" }],
    ["a root that is none", { root: "/", path: "etc/shadow" }],
  ])("names %s", async (_, file) => {
    const admin = { authorization: `Bearer ${TOKENS.root}` };
    const reply = await post(here.url, "TaskService/ImportImage", disk({ file }), admin);
    expect([400, 404]).toContain(reply.status);
    expect((await post(here.url, "TaskService/ImportImage", disk({ file }))).status).toBe(403);
  });

  it.each(["../t-1", "t-1'--", "t-1\u0000", "%2e%2e", "x".repeat(100_000), "t-1 "])(
    "asks for a task that is none",
    async (id) => {
      const { status, body } = await post(here.url, "TaskService/GetTask", { id });
      expect(status).toBe(404);
      expect(JSON.stringify(body).length).toBeLessThan(2000);
    },
  );
});

function named(objectName: string) {
  return { imageId: "image-1", destination: "east-bucket", objectName };
}

function disk(source: object) {
  return { region: "east", disks: [source], image: { name: "new" } };
}

describe("a body that is too large", () => {
  const full = { code: "resource_exhausted", details: [{ debug: { code: "LIMIT_EXCEEDED" } }] };

  it("is refused by its length, before it is sent", async () => {
    const reply = await send("x".repeat(MiB + 1));
    expect([reply.status, JSON.parse(reply.text)]).toMatchObject([429, full]);
  });

  it("is refused when it comes in pieces without end", async () => {
    await here[Symbol.asyncDispose]();
    // Who goes on sending when he has been answered is cut off when the time for his request is up.
    here = await endpoint({ limits: { headersMs: 200, requestMs: 500 } });
    await taskIn(here, "t-1");
    let pieces = 0;
    const endless = new ReadableStream({
      pull(controller) {
        pieces += 1;
        controller.enqueue(new Uint8Array(65536).fill(0x20));
      },
    });
    const reply = await send(endless).catch(() => undefined);
    // Whether the answer is read before the connection is closed is a race; that it ends is not.
    if (reply !== undefined) expect(JSON.parse(reply.text)).toMatchObject(full);
    expect(pieces).toBeGreaterThan(MiB / 65536);
  });

  it.each([
    ["gzip", gzipSync(Buffer.alloc(64 * MiB))],
    ["br", brotliCompressSync(Buffer.alloc(64 * MiB))],
  ])("is refused when %s made it small", async (encoding, body) => {
    const reply = await send(new Uint8Array(body), { "content-encoding": encoding });
    expect([reply.status, JSON.parse(reply.text)]).toMatchObject([429, full]);
  });

  it("is refused by the length that a stream's envelope claims", async () => {
    const envelope = new Uint8Array([0, 0xff, 0xff, 0xff, 0xff, 0x7b]);
    const headers = { "content-type": "application/connect+json" };
    const reply = await send(envelope, headers, "/diskferry.v1.TaskService/WatchTask");
    expect(reply.text).toContain('"code":"resource_exhausted"');
  });
});

describe("a request that cannot be", () => {
  it.each([
    ["content-type", "text/html", 415],
    ["content-type", "application/x-www-form-urlencoded", 415],
    ["content-encoding", "rot13", 501],
    ["connect-timeout-ms", "soon", 400],
    ["connect-timeout-ms", "-1", 400],
  ])("in its %s: %s", async (name, value, status) => {
    const reply = await send('{"id":"t-1"}', { [name]: value });
    expect([reply.status, JSON.parse(reply.text)]).toMatchObject([status, { message: expect.any(String) }]);
  });

  it.each([
    ["connect-timeout-ms", "9999999999", "application/json"],
    ["grpc-timeout", "99999999H", "application/grpc-web+json"],
  ])("has weeks to wait, and is answered: %s", async (name, value, type) => {
    const message = Buffer.from('{"id":"t-1"}');
    const framed = Buffer.concat([Buffer.from([0, 0, 0, 0, message.length]), message]);
    const body = new Uint8Array(type === "application/json" ? message : framed);
    const reply = await send(body, { [name]: value, "content-type": type });
    expect([reply.status, reply.text]).toEqual([200, expect.stringContaining('"id":"t-1"')]);
  });

  it.each([
    "/",
    "/diskferry.v1.TaskService/",
    "/diskferry.v1.TaskService/Steal",
    "/..%2f..%2fetc/passwd",
    "/v1/eventsx",
  ])("asks for nothing that is here: %s", async (path) => {
    const reply = await send("{}", {}, path);
    expect([reply.status, JSON.parse(reply.text)]).toMatchObject([404, { code: "not_found" }]);
  });

  it("reads what only POST may ask", async () => {
    const path =
      "/diskferry.v1.TaskService/CancelTask?connect=v1&encoding=json&message=%7B%22id%22%3A%22t-1%22%7D";
    const reply = await fetch(here.url + path, { headers: AUTHORIZED });
    expect([reply.status, await reply.json()]).toMatchObject([405, { code: "unimplemented" }]);
    expect((await here.world.file.record.task("t-1"))?.state).toBe("queued");
  });

  it.each(["/v1/events", "/healthz", "/metrics"])("writes what can only be read: %s", async (path) => {
    expect((await send("{}", {}, path)).status).toBe(501);
  });
});

/** Sends raw bytes, and gives what comes back until the connection ends. */
async function raw(bytes: string | Uint8Array): Promise<string> {
  const socket = open();
  socket.write(bytes);
  return text(socket);
}

function open(): Socket {
  const socket = connect(here.server.cleartext?.port ?? 0, "127.0.0.1");
  socket.on("error", () => {});
  return socket;
}

describe("a connection", () => {
  const lines = (...all: string[]) => `${all.join("\r\n")}\r\n\r\n`;

  it("speaks no HTTP", async () => {
    expect(await raw(new Uint8Array(100).fill(0xff))).toContain("400 Bad Request");
    expect(await raw("SSH-2.0-OpenSSH_9\r\n")).toContain("400 Bad Request");
  });

  it("begins like HTTP/2, and goes on otherwise", async () => {
    expect(await raw("PRINT / HTTP/1.1\r\n\r\n")).toEqual(expect.any(String));
    expect(await raw("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nno frames at all, but enough bytes to be one")).toEqual(
      expect.any(String),
    );
  });

  it("sends the preface a byte at a time", async () => {
    const socket = open();
    socket.setNoDelay(true);
    for (const byte of lines("POST /healthz HTTP/1.1", "host: h", "connection: close")) {
      socket.write(byte);
      await new Promise(setImmediate);
    }
    expect(await text(socket)).toContain("501");
  });

  it("names no host", async () => {
    const asked = [`GET ${GET} HTTP/1.0`, `authorization: Bearer ${TOKENS.ann}`];
    expect(await raw(lines(...asked))).toMatch(/^HTTP\/1\.1 400[\s\S]*names no host/);
    expect(await raw(lines("GET /healthz HTTP/1.0"))).toMatch(/^HTTP\/1\.1 200/);
  });

  it.each(["a b", "[", "h:99999"])("names a host that cannot be: %s", async (host) => {
    const asked = [`GET ${GET} HTTP/1.1`, `host: ${host}`, "connection: close"];
    expect(await raw(lines(...asked))).toMatch(/^HTTP\/1\.1 40[01]/);
  });

  it("sends headers without end", async () => {
    const flood = `x: ${"a".repeat(20_000)}`;
    expect(await raw(lines("GET /healthz HTTP/1.1", "host: h", flood))).toMatch(/^HTTP\/1\.1 431/);
  });

  it("contradicts itself about its length", async () => {
    const both = ["POST /healthz HTTP/1.1", "host: h", "content-length: 5", "transfer-encoding: chunked"];
    expect(await raw(lines(...both))).toMatch(/^HTTP\/1\.1 400/);
  });

  it("ends in the middle of a request", async () => {
    const socket = open();
    socket.write(
      `POST ${GET} HTTP/1.1\r\nhost: h\r\nauthorization: Bearer ${TOKENS.ann}\r\ncontent-length: 50\r\n\r\n{`,
    );
    await once(socket, "connect");
    socket.destroy();
  });
});

describe("a slow sender", () => {
  beforeEach(async () => {
    await here[Symbol.asyncDispose]();
    here = await endpoint({ limits: { headersMs: 200, requestMs: 300 } });
    await taskIn(here, "t-1");
  });

  it("that says nothing at all is cut off", async () => {
    expect(await text(open())).toBe("");
  });

  it("of a preface is cut off", async () => {
    expect(await raw("P")).toBe("");
  });

  it("of headers is cut off", async () => {
    expect(await raw("GET /healthz HTTP/1.1\r\nhost: h\r\n")).toMatch(/^(HTTP\/1\.1 408|$)/);
  });

  it("of a body is told so, and cut off", async () => {
    const head = `POST ${GET} HTTP/1.1\r\nhost: h\r\nauthorization: Bearer ${TOKENS.ann}\r\n`;
    const type = "content-type: application/json\r\ncontent-length: 50\r\n\r\n{";
    expect(await raw(head + type)).toMatch(/^HTTP\/1\.1 (408|504)/);
  });

  it("of a body over HTTP/2 is told so, and cut off", async () => {
    const session = connectHttp2(here.url);
    const stream = session.request({
      ":method": "POST",
      ":path": GET,
      "content-type": "application/json",
      ...AUTHORIZED,
    });
    stream.on("error", () => {});
    stream.write("{");
    const [headers] = await once(stream, "response");
    expect(headers[constants.HTTP2_HEADER_STATUS]).toBe(504);
    await once(stream.resume(), "close");
    session.close();
  });

  it("is not who waits for events", async () => {
    const reply = await fetch(`${here.url}/v1/events?after=0`, { headers: AUTHORIZED });
    // Far beyond the time for a request, which has another one cut off meanwhile.
    expect(await raw(`POST ${GET} HTTP/1.1\r\nhost: h\r\ncontent-length: 5\r\n\r\n`)).toMatch(/^HTTP/);
    await taskIn(here, "t-2");
    let seen = "";
    for await (const chunk of reply.body?.pipeThrough(new TextDecoderStream()) ?? []) {
      seen += chunk;
      if (seen.includes('"t-2"')) break;
    }
    expect(seen).toContain("id: 2");
  });
});

describe("too many connections", () => {
  it("are turned away, and let in again when others have gone", async () => {
    await using small = await endpoint({ limits: { connections: 3 } });
    const port = small.server.cleartext?.port ?? 0;
    const held = Array.from({ length: 3 }, () => connect(port, "127.0.0.1"));
    await Promise.all(held.map((socket) => once(socket, "connect")));
    const turnedAway = connect(port, "127.0.0.1");
    expect(await text(turnedAway).catch(() => "")).toBe("");
    for (const socket of held) socket.destroy();
    const status = () =>
      fetch(`${small.url}/healthz`).then(
        (reply) => reply.status,
        () => 0,
      );
    await expect.poll(status).toBe(200);
  });
});
