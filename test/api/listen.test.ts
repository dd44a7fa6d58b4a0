import { once } from "node:events";
import { connect as connectHttp2 } from "node:http2";
import { type AddressInfo, createServer } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Endpoint, endpoint, TOKENS, taskIn } from "./endpoint.ts";
import { type Certificates, certificates, OPENSSL, tlsAddress } from "./programs.ts";

/** A port of loopback that somebody has. */
async function taken() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return { port, [Symbol.dispose]: () => void server.close() };
}

describe("an address", () => {
  it("that somebody has is refused by name", async () => {
    using other = await taken();
    const opened = endpoint({ cleartext: { host: "127.0.0.1", port: other.port } });
    await expect(opened).rejects.toMatchObject({
      code: "ALREADY_EXISTS",
      message: `127.0.0.1:${other.port} is in use by another program`,
    });
  });

  it("that is not of this host is refused", async () => {
    const opened = endpoint({ cleartext: { host: "192.0.2.1", port: 0 } });
    await expect(opened).rejects.toMatchObject({ message: expect.stringContaining("192.0.2.1:0") });
  });
});

describe.skipIf(OPENSSL !== "")(`the TLS port${OPENSSL}`, () => {
  let made: Certificates;
  beforeEach(async () => {
    made = await certificates();
  });
  afterEach(() => made[Symbol.asyncDispose]());

  it.each([
    ["no PEM", { key: "key", certificate: "certificate" }],
    ["a key of another certificate", { key: "client.key", certificate: "server.crt" }],
  ])("is refused with %s, and the cleartext port is given back", async (_, { key, certificate }) => {
    const pem = (name: string) => made.pem[name] ?? name;
    using other = await taken();
    other[Symbol.dispose]();
    const cleartext = { host: "127.0.0.1", port: other.port };
    const tls = { ...tlsAddress(made), key: pem(key), certificate: pem(certificate) };
    await expect(endpoint({ cleartext, tls })).rejects.toMatchObject({ code: "USAGE" });
    await using again = await endpoint({ cleartext });
    expect(again.server.cleartext?.port).toBe(other.port);
  });
});

describe("a connection of HTTP/2", () => {
  let here: Endpoint;
  beforeEach(async () => {
    here = await endpoint({ limits: { idleMs: 100, streams: 20 } });
    await taskIn(here, "t-1");
  });
  afterEach(() => here[Symbol.asyncDispose]());

  const headers = { authorization: `Bearer ${TOKENS.ann}` };

  it("without a request ends after a while", async () => {
    const session = connectHttp2(here.url);
    await once(session, "close");
  });

  it("with a watch goes on", async () => {
    const idle = connectHttp2(here.url);
    const session = connectHttp2(here.url);
    const watch = session.request({ ":path": "/v1/events?after=1", ...headers });
    watch.setEncoding("utf8");
    await once(watch, "data");
    // Another one has been ended for being idle meanwhile.
    await once(idle, "close");
    await taskIn(here, "t-2");
    const [told] = await once(watch, "data");
    expect(told).toContain('"taskId":"t-2"');
    session.destroy();
  });

  it("has no more requests at once than it may", async () => {
    const session = connectHttp2(here.url);
    const [settings] = await once(session, "remoteSettings");
    expect(settings.maxConcurrentStreams).toBe(20);
    session.destroy();
  });
});
