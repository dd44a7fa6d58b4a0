import { createServer } from "node:http";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Fault } from "../../src/fault/fault.ts";
import { discardBody, http } from "../../src/net/http.ts";
import { lookupPublic, refuseSpecial } from "../../src/net/public-address.ts";
import { openRecipe } from "../../src/source/recipe.ts";

const SPECIAL = [
  "0.0.0.0",
  "10.1.2.3",
  "100.64.0.1",
  "127.0.0.1",
  "127.255.255.254",
  "169.254.169.254",
  "172.16.0.1",
  "172.31.255.255",
  "192.168.1.1",
  "192.0.2.1",
  "192.88.99.1",
  "198.19.0.1",
  "198.51.100.1",
  "203.0.113.1",
  "224.0.0.1",
  "255.255.255.255",
  "[::]",
  "[::1]",
  "[::ffff:127.0.0.1]",
  "[::ffff:a00:1]",
  "[::127.0.0.1]",
  "[::ffff:0:127.0.0.1]",
  "[64:ff9b::7f00:1]",
  "[100::1]",
  "[2001:0:7f00:1::]",
  "[2001:db8::1]",
  "[2002:7f00:1::]",
  "[fd00::1]",
  "[fe80::1]",
  "[fec0::1]",
  "[ff02::1]",
];
const PUBLIC = [
  "1.1.1.1",
  "9.255.255.255",
  "100.63.255.255",
  "100.128.0.0",
  "172.15.255.255",
  "172.32.0.0",
  "[2001:4860:4860::8888]",
  "[2606:4700::1111]",
  "[::ffff:1.1.1.1]",
  "example.com",
  "localhost",
];

describe("addresses written into a URL", () => {
  test.each(SPECIAL)("%s is not public", (host) => {
    expect(() => refuseSpecial(host)).toThrow(
      expect.objectContaining({
        code: "PERMISSION",
        message: expect.stringContaining("is no public address"),
      }),
    );
  });

  test.each(PUBLIC)("%s is public, or a name", (host) => {
    expect(() => refuseSpecial(host)).not.toThrow();
  });
});

describe("a server on this host", () => {
  let asked = 0;
  const server = createServer((_, reply) => {
    asked += 1;
    reply.writeHead(206, { "content-range": "bytes 0-3/4", etag: '"1"' }).end("disk");
  });
  let port = 0;
  beforeAll(async () => {
    await new Promise<void>((resolve) => server.listen(0, resolve));
    port = (server.address() as { port: number }).port;
  });
  afterAll(() => server.close());

  const signal = new AbortController().signal;
  const ask = (host: string) => ({ method: "GET", url: `http://${host}:${port}/`, name: "disk" }) as const;
  /** Also as decimals, octals and short forms, which URLs turn into what they stand for. */
  const HOSTS = ["127.0.0.1", "[::ffff:127.0.0.1]", "localhost", "2130706433", "0x7f.1", "0177.0.0.1"];

  test.each(HOSTS)("is not asked as %s by who may ask public ones alone", async (host) => {
    const before = asked;
    await expect(http({ ...ask(host), reach: "public" }, signal)).rejects.toMatchObject({
      code: "PERMISSION",
    });
    expect(asked).toBe(before);
    // The same request is answered without bounds, and that connection is not lent to who has bounds.
    const reply = await http({ ...ask(host), reach: "anywhere" }, signal);
    await discardBody(reply);
    expect(reply.status).toBe(206);
    await expect(http({ ...ask(host), reach: "public" }, signal)).rejects.toBeInstanceOf(Fault);
    expect(asked).toBe(before + 1);
  });

  test("is not asked by a worker either", async () => {
    const { url } = ask("localhost");
    const recipe = { kind: "http", name: "disk", url, headers: {}, size: 4, version: "1" } as const;
    await using open = await openRecipe({ ...recipe, reach: "anywhere" });
    await open.read(new Uint8Array(4), 0, signal);
    await using bound = await openRecipe({ ...recipe, reach: "public" });
    await expect(bound.read(new Uint8Array(4), 0, signal)).rejects.toMatchObject({ code: "PERMISSION" });
  });
});

test("every address of a name is looked at, whichever form the lookup is asked in", async () => {
  for (const all of [true, false]) {
    const error = await new Promise((resolve) => lookupPublic("localhost", { all }, resolve));
    expect(error).toMatchObject({ code: "PERMISSION" });
    expect(String(error)).toContain("localhost is at");
  }
});
