import type { IncomingMessage, ServerResponse } from "node:http";
import { afterAll, beforeEach, describe, expect, it, vi } from "vitest";
import type { Fault } from "../../src/fault/fault.ts";
import { closeHttp } from "../../src/net/http.ts";
import { httpSource, openHttp } from "../../src/source/http/http.ts";
import { openRecipe } from "../../src/source/recipe.ts";
import type { Source } from "../../src/source/source.ts";
import { type RangeServer, rangeServer } from "./range-server.ts";

const never = new AbortController().signal;

/** Waits between attempts take no time here; how long they are is the business of the retry's own tests. */
vi.mock("node:timers/promises", () => ({ setTimeout: async () => {} }));

const CONTENT = Buffer.from(Array.from({ length: 300_000 }, (_, i) => (i * 31) % 253));
const SIZE = CONTENT.length;

let server: RangeServer;
beforeEach(async () => {
  server = await rangeServer(CONTENT);
  return () => server[Symbol.asyncDispose]();
});
afterAll(() => closeHttp());

async function read(source: Source, position: number, length: number): Promise<Buffer> {
  const into = Buffer.alloc(length);
  await source.read(into, position, never);
  return into;
}

function faultOf(work: Promise<unknown>): Promise<Fault> {
  return work.then(
    () => Promise.reject(new Error("no fault")),
    (error: Fault) => error,
  );
}

type Instead = (request: IncomingMessage, response: ServerResponse, times: number) => boolean;
/** Misbehaves on the first `times` requests from now on. */
function first(times: number, answer: (request: IncomingMessage, response: ServerResponse) => void): Instead {
  const before = server.requests.length;
  return (request, response, count) => {
    if (count - before > times) return false;
    answer(request, response);
    return true;
  };
}

describe("an object behind HTTP", () => {
  it("reads any range, many at once, each held to the pinned ETag", async () => {
    await using source = await openHttp(server.url, never);
    expect([source.size, source.version]).toEqual([SIZE, `http-"v1"-${SIZE}`]);
    await Promise.all(
      [0, 1, 65_535, 150_000, SIZE - 1000].map(async (position) => {
        expect((await read(source, position, 1000)).equals(CONTENT.subarray(position, position + 1000))).toBe(
          true,
        );
      }),
    );
    expect((await read(source, 0, SIZE)).equals(CONTENT)).toBe(true);
    for (const { headers } of server.requests.slice(1)) expect(headers["if-match"]).toBe('"v1"');
    await source.read(new Uint8Array(0), SIZE, never);
    await source.check(never);
  });

  it("is not asked for what lies past its end", async () => {
    await using source = await openHttp(server.url, never);
    const asked = server.requests.length;
    await expect(read(source, SIZE - 1, 2)).rejects.toMatchObject({ code: "IMAGE_TRUNCATED" });
    expect(server.requests.length).toBe(asked);
  });

  it("may be empty", async () => {
    server.content = Buffer.alloc(0);
    await using source = await openHttp(server.url, never);
    expect(source.size).toBe(0);
    await source.check(never);
  });

  it("is opened again from its recipe, and tells a change there", async () => {
    await using source = await openHttp(server.url, never);
    await using again = await openRecipe(structuredClone(await source.recipe(never)));
    expect((await read(again, 5, 10)).equals(CONTENT.subarray(5, 15))).toBe(true);
    server.etag = '"v2"';
    expect((await faultOf(read(again, 5, 10))).code).toBe("SOURCE_CHANGED");
  });
});

describe("an object that changes while it is read", () => {
  const changed = () => `${server.url}: changed while it was read; start again`;

  it("is noticed by the server, once asked (412)", async () => {
    await using source = await openHttp(server.url, never);
    server.etag = '"v2"';
    const fault = await faultOf(read(source, 0, 10));
    expect([fault.code, fault.message, server.requests.length]).toEqual(["SOURCE_CHANGED", changed(), 2]);
    expect((await faultOf(source.check(never))).code).toBe("SOURCE_CHANGED");
  });

  it("is noticed by the ETag of a reply where the server ignores If-Match", async () => {
    await using source = await openHttp(server.url, never);
    server.instead = (request) => {
      delete request.headers["if-match"];
      return false;
    };
    server.etag = '"v2"';
    expect((await faultOf(read(source, 0, 10))).code).toBe("SOURCE_CHANGED");
  });

  it("is noticed by its length, also where it is too short for the range (416)", async () => {
    server.etag = undefined;
    await using source = await openHttp(server.url, never);
    server.content = Buffer.concat([CONTENT, CONTENT]);
    expect((await faultOf(read(source, 0, 10))).code).toBe("SOURCE_CHANGED");
    server.content = CONTENT.subarray(0, 100);
    expect((await faultOf(read(source, 5000, 10))).code).toBe("SOURCE_CHANGED");
  });

  it.each([undefined, 'W/"v1"'])("is noticed by its modification time where the ETag is %s", async (etag) => {
    server.etag = etag;
    await using source = await openHttp(server.url, never);
    await using again = await openRecipe(await source.recipe(never));
    expect((await read(again, 0, 10)).equals(CONTENT.subarray(0, 10))).toBe(true);
    expect(server.requests.at(-1)?.headers["if-match"]).toBeUndefined();
    server.lastModified = "Fri, 02 Jan 2026 00:00:00 GMT";
    expect((await faultOf(source.check(never))).code).toBe("SOURCE_CHANGED");
    expect((await faultOf(read(again, 0, 10))).code).toBe("SOURCE_CHANGED");
  });
});

describe("a server that fails", () => {
  it("in the middle of a body is asked again", async () => {
    await using source = await openHttp(server.url, never);
    server.instead = first(3, (_request, response) => {
      response.writeHead(206, { "content-range": `bytes 0-99999/${SIZE}`, "content-length": 100_000 });
      response.write(CONTENT.subarray(0, 40_000), () => response.destroy());
    });
    expect((await read(source, 0, 100_000)).equals(CONTENT.subarray(0, 100_000))).toBe(true);
    expect(server.requests.length).toBe(5);
  });

  it("with an answer shorter than the range is asked again", async () => {
    await using source = await openHttp(server.url, never);
    server.instead = first(1, (_request, response) => {
      response
        .writeHead(206, { "content-range": `bytes 0-49/${SIZE}`, "content-length": 50 })
        .end(CONTENT.subarray(0, 50));
    });
    expect((await read(source, 0, 100)).equals(CONTENT.subarray(0, 100))).toBe(true);
  });

  it.each([500, 502, 503, 429, 408])("with %i is asked again, and given up in the end", async (status) => {
    await using source = await openHttp(server.url, never);
    server.instead = first(2, (_request, response) => response.writeHead(status).end("no"));
    expect((await read(source, 0, 10)).equals(CONTENT.subarray(0, 10))).toBe(true);
    server.instead = first(99, (_request, response) => response.writeHead(status).end("no"));
    const asked = server.requests.length;
    const fault = await faultOf(read(source, 0, 10));
    expect(fault).toMatchObject({
      code: { 429: "THROTTLED", 408: "TIMEOUT" }[status] ?? "STORE_UNAVAILABLE",
      message: `${server.url}: the server answered ${status}`,
    });
    expect(server.requests.length - asked).toBe(6);
  });

  it("by sending more than it was asked for is not believed", async () => {
    await using source = await openHttp(server.url, never);
    server.instead = first(1, (_request, response) => {
      response.writeHead(206, { "content-range": `bytes 10-19/${SIZE}` }).end(CONTENT.subarray(10, 200));
    });
    expect(await faultOf(read(source, 10, 10))).toMatchObject({
      code: "STORE_PROTOCOL",
      message: `${server.url}: more bytes than asked for at 10`,
    });
  });

  it.each([
    [`bytes 0-9/${SIZE}`, `bytes 0-9/${SIZE}`],
    [undefined, "no Content-Range"],
  ])(
    "by sending another range than it was asked for is not believed (Content-Range: %s)",
    async (header, shown) => {
      await using source = await openHttp(server.url, never);
      server.instead = first(1, (_request, response) => {
        response
          .writeHead(206, header === undefined ? {} : { "content-range": header })
          .end(CONTENT.subarray(0, 10));
      });
      expect(await faultOf(read(source, 50, 10))).toMatchObject({
        code: "STORE_PROTOCOL",
        message: `${server.url}: asked for bytes from 50, the server sent ${shown}`,
      });
    },
  );

  it("to serve ranges is refused, when it is opened and later", async () => {
    await using source = await openHttp(server.url, never);
    server.instead = first(99, (_request, response) => response.writeHead(200).end(CONTENT));
    const refused = {
      code: "STORE_PROTOCOL",
      message: `${server.url}: the server does not serve byte ranges`,
    };
    expect(await faultOf(read(source, 10, 10))).toMatchObject(refused);
    expect(await faultOf(openHttp(server.url, never))).toMatchObject(refused);
    // The whole object is what was asked for.
    expect((await read(source, 0, SIZE)).equals(CONTENT)).toBe(true);
  });

  it.each([
    [404, "NOT_FOUND"],
    [403, "PERMISSION"],
    [400, "STORE_REFUSED"],
  ])("for good with %i is asked once", async (status, code) => {
    server.instead = first(99, (_request, response) => response.writeHead(status).end());
    expect((await faultOf(openHttp(server.url, never))).code).toBe(code);
    expect(server.requests.length).toBe(1);
  });

  it("to be there is a fault of the network that names no secret of the URL", async () => {
    const { port } = new URL(server.url);
    await server[Symbol.asyncDispose]();
    server[Symbol.asyncDispose] = async () => {};
    const fault = await faultOf(
      openHttp(`http://user:pass@127.0.0.1:${port}/a/disk?Signature=secret#x`, never),
    );
    expect(fault.code).toBe("NETWORK");
    expect(fault.message).toContain(`http://127.0.0.1:${port}/a/disk`);
    expect(JSON.stringify(fault.toWire())).not.toMatch(/secret|pass|user/);
  });

  it("to answer is left when the reader gives up", async () => {
    await using source = await openHttp(server.url, never);
    const controller = new AbortController();
    server.instead = first(1, () => controller.abort());
    await expect(source.read(new Uint8Array(10), 0, controller.signal)).rejects.toMatchObject({
      code: "CANCELED",
    });
  });
});

describe("a signature that has run out", () => {
  function signed(refresh?: () => Promise<void>) {
    const token = { value: "old" };
    const source = httpSource({
      name: "swift://c/o",
      size: SIZE,
      version: "v1",
      sign: async () => ({ url: server.url, headers: { "x-auth-token": token.value } }),
      ...(refresh === undefined ? {} : { refresh }),
    });
    server.instead = (request, response) => {
      if (request.headers["x-auth-token"] === "new") return false;
      response.writeHead(401).end();
      return true;
    };
    return { source, token };
  }

  it("is made anew, once, and the read goes on", async () => {
    let refreshed = 0;
    const { source, token } = signed(async () => {
      refreshed += 1;
      token.value = "new";
    });
    expect((await read(source, 7, 9)).equals(CONTENT.subarray(7, 16))).toBe(true);
    expect([refreshed, server.requests.length]).toEqual([1, 2]);
  });

  it("and cannot be made anew is a refusal for good", async () => {
    const { source } = signed();
    expect((await faultOf(read(source, 0, 1))).code).toBe("CREDENTIALS");
    expect(server.requests.length).toBe(1);
  });

  it("in another thread is reported to the one that holds credentials, without asking again", async () => {
    const { source } = signed(async () => {});
    const recipe = await source.recipe(never);
    await using there = await openRecipe(recipe);
    expect(await faultOf(read(there, 0, 1))).toMatchObject({
      code: "CREDENTIALS_EXPIRED",
      message: "swift://c/o: the signature for reading has expired",
    });
  });
});
