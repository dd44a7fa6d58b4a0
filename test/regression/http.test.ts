/** How http(s) URLs lead to their bytes: redirects, users and passwords. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import type { Fault } from "../../src/fault/fault.ts";
import { closeHttp, statusFault } from "../../src/net/http.ts";
import { openHttp } from "../../src/source/http/http.ts";
import { openRecipe } from "../../src/source/recipe.ts";
import { noise } from "../oracle/disk.ts";
import { type RangeServer, rangeServer } from "../source/range-server.ts";

const never = new AbortController().signal;
const CONTENT = noise(10_000);

let server: RangeServer;
let other: RangeServer;
beforeEach(async () => {
  server = await rangeServer(CONTENT);
  other = await rangeServer(CONTENT);
  return async () => {
    await server[Symbol.asyncDispose]();
    await other[Symbol.asyncDispose]();
  };
});
afterAll(() => closeHttp());

type Instead = (request: IncomingMessage, response: ServerResponse) => boolean;

/** `/5` leads to `/4` and so on; `/0` to `end`. */
function countdown(end: string): Instead {
  return (request, response) => {
    const left = /^\/(\d+)$/.exec(request.url ?? "")?.[1];
    if (left === undefined) return false;
    response.writeHead(302, { location: left === "0" ? end : `/${Number(left) - 1}` }).end();
    return true;
  };
}

async function faultOf(address: string): Promise<Fault> {
  return openHttp(address, never).then(
    () => Promise.reject(new Error("no fault")),
    (error: Fault) => error,
  );
}

describe("a URL that redirects", () => {
  it("up to five times leads to the object, also for workers, under the name that was asked for", async () => {
    server.instead = countdown("/disk.raw");
    const address = new URL("/4", server.url).href;
    await using source = await openHttp(address, never);
    expect([source.name, source.size]).toEqual([address, CONTENT.length]);
    const opened = server.requests.length;
    expect(opened).toBe(6);
    await using there = await openRecipe(await source.recipe(never));
    const into = Buffer.alloc(100);
    await there.read(into, 50, never);
    expect(into.equals(CONTENT.subarray(50, 150))).toBe(true);
    expect(server.requests.length).toBe(opened + 1);
  });

  it("more than five times is refused", async () => {
    server.instead = countdown("/disk.raw");
    const address = new URL("/5", server.url).href;
    expect(await faultOf(address)).toMatchObject({
      code: "STORE_PROTOCOL",
      message: `${address}: redirects without end`,
    });
  });

  it("to another host does not take the password there", async () => {
    server.instead = countdown(other.url);
    const address = new URL("/0", server.url.replace("//", "//ferry:hunter2@")).href;
    await using source = await openHttp(address, never);
    await source.read(Buffer.alloc(10), 0, never);
    expect(server.requests.map(({ headers }) => headers.authorization !== undefined)).toEqual([true]);
    expect(other.requests.map(({ headers }) => headers.authorization)).toEqual([undefined, undefined]);
  });
});

describe("a user and password in a URL", () => {
  const authorization = `Basic ${Buffer.from("fe@rry:hunter2:x").toString("base64")}`;
  const address = () => server.url.replace("//", "//fe%40rry:hunter2%3Ax@");

  /** The server wants exactly these. */
  function guard(): void {
    server.instead = (request, response) => {
      if (request.headers.authorization === authorization) return false;
      response.writeHead(401).end();
      return true;
    };
  }

  it("are sent with every request, also by workers, and shown nowhere", async () => {
    guard();
    await using source = await openHttp(address(), never);
    await using there = await openRecipe(await source.recipe(never));
    const into = Buffer.alloc(100);
    await there.read(into, 50, never);
    expect(into.equals(CONTENT.subarray(50, 150))).toBe(true);
    expect([source.name, there.name]).toEqual([server.url, server.url]);
    expect(source.version).not.toContain("hunter2");
  });

  it("that are refused are tried once, and shown nowhere", async () => {
    guard();
    const fault = await faultOf(server.url.replace("//", "//fe%40rry:hunter3@"));
    expect(fault).toMatchObject({ code: "CREDENTIALS", message: expect.stringContaining(server.url) });
    expect(JSON.stringify([fault.toWire(), fault.stack])).not.toMatch(/hunter|rry/);
    expect(server.requests.length).toBe(1);
  });

  it("that are no longer taken later are a refusal for good", async () => {
    guard();
    await using source = await openHttp(address(), never);
    server.instead = (_request, response) => {
      response.writeHead(401).end();
      return true;
    };
    await expect(source.read(Buffer.alloc(10), 0, never)).rejects.toMatchObject({ code: "CREDENTIALS" });
    expect(server.requests.length).toBe(2);
  });
});

describe("the wait that a server asks for", () => {
  const DAY_MS = 24 * 60 * 60_000;

  it.each([
    ["retry-after", "0.0015", 2],
    ["retry-after", "1e300", DAY_MS],
    ["retry-after", "-5", 0],
    ["retry-after", "Fri, 31 Dec 9999 23:59:59 GMT", DAY_MS],
    ["x-oss-qos-delay-time", "45.5", 46],
    ["x-oss-qos-delay-time", "1e300", DAY_MS],
    ["x-oss-qos-delay-time", "-1", 0],
    ["retry-after", "Infinity", undefined],
    ["retry-after", "soon", undefined],
  ])("%s: %s is whole milliseconds, and a day at most", (name, value, wait) => {
    expect(statusFault(503, { [name]: value }, "it").retryAfterMs).toBe(wait);
  });
});
