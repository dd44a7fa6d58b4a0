import { once } from "node:events";
import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { closeHttp } from "../../src/net/http.ts";
import { sendHttp } from "../../src/transfer/send.ts";

const never = new AbortController().signal;

let server: Server;
let url = "";
let behave: (response: ServerResponse) => void = () => {};
beforeAll(async () => {
  server = createServer((request, response) => {
    request.resume();
    request.on("end", () => behave(response));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  // One clock for the whole file: the HTTP client keeps a timer of its own from request to request.
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
});
afterAll(async () => {
  vi.useRealTimers();
  await closeHttp();
  server.closeAllConnections();
  server.close();
});

/** Sends a part, and lets the clock run once the server has it. */
async function sendAndWait(answer: (response: ServerResponse) => void, signal = never): Promise<unknown> {
  const reached = Promise.withResolvers<void>();
  behave = (response) => {
    answer(response);
    reached.resolve();
  };
  async function* body() {
    yield Buffer.from("part");
  }
  const target = {
    kind: "http",
    method: "PUT",
    url,
    headers: {},
    expect: { etag: "opaque" },
    name: "fake://o",
  } as const;
  const sent = sendHttp(target, 4, body(), () => ({}), signal).then(
    () => "sent",
    (error: unknown) => error,
  );
  await reached.promise;
  let over = false;
  void sent.finally(() => {
    over = true;
  });
  // Minutes pass, a second at a time, and what the sockets have to say is heard in between.
  for (let second = 0; second < 600 && !over; second += 1) {
    vi.advanceTimersByTime(1000);
    await new Promise((done) => setImmediate(done));
  }
  expect(over).toBe(true);
  return sent;
}

describe("a part that is given up", () => {
  const target = {
    kind: "http",
    method: "PUT",
    headers: {},
    expect: { etag: "opaque" },
    name: "fake://o",
  } as const;

  it("is waited for once its body is through, since it may land", async () => {
    const reached = Promise.withResolvers<ServerResponse>();
    behave = reached.resolve;
    const given = new AbortController();
    async function* body() {
      yield Buffer.from("part");
    }
    const sent = sendHttp({ ...target, url }, 4, body(), () => ({}), given.signal);
    const response = await reached.promise;
    given.abort(new Error("given up"));
    await new Promise((done) => setImmediate(done));
    response.setHeader("etag", "landed").end();
    expect(await sent).toBe("landed");
  });

  it("is not waited for while its body is on its way, which then lands nowhere", async () => {
    const given = new AbortController();
    let landed = false;
    behave = () => {
      landed = true;
    };
    async function* body() {
      yield Buffer.from("pa");
      given.abort(new Error("given up"));
      await new Promise(() => {});
    }
    await expect(sendHttp({ ...target, url }, 4, body(), () => ({}), given.signal)).rejects.toThrow(
      "given up",
    );
    expect(landed).toBe(false);
  });

  it("is never sent when that was before it began, though it be empty", async () => {
    behave = (response) => response.end();
    async function* body(): AsyncGenerator<Uint8Array> {}
    const signal = AbortSignal.abort(new Error("given up"));
    await expect(sendHttp({ ...target, url }, 0, body(), () => ({}), signal)).rejects.toMatchObject({
      message: "fake://o: given up",
    });
  });

  it("is not waited for without end", async () => {
    const given = new AbortController();
    expect(await sendAndWait(() => given.abort(new Error("given up")), given.signal)).toMatchObject({
      message: expect.stringContaining("given up"),
    });
  });
});

describe("a store that does not answer", () => {
  it("is given up when nothing comes after the body", async () => {
    expect(await sendAndWait(() => {})).toMatchObject({
      code: "TIMEOUT",
      message: expect.stringMatching(/^fake:\/\/o: /),
    });
  });

  it("is given up when nothing comes after the headers", async () => {
    const fault = await sendAndWait((response) => {
      response.writeHead(200, { "content-length": "100" });
      response.write("a");
    });
    expect(fault).toMatchObject({ code: "TIMEOUT", message: expect.stringMatching(/^fake:\/\/o: /) });
  });

  it("is given up when it answers a byte a minute", async () => {
    const fault = await sendAndWait((response) => {
      response.writeHead(500, { "content-length": "10000" });
      const drip = (): void => {
        response.write(".");
        if (!response.destroyed) setTimeout(drip, 60_000);
      };
      drip();
    });
    expect(fault).toMatchObject({ code: "TIMEOUT", message: "fake://o: no answer within 120 s" });
  });
});
