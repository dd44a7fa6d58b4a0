import { randomBytes } from "node:crypto";
import AliOss from "ali-oss";
import { describe, expect, test } from "vitest";
import { discardBody, http } from "../../../src/net/http.ts";
import type { OssConfig } from "../../../src/store/oss/config.ts";
import { ossSource } from "../../../src/store/oss/source.ts";
import { type StrictOss, startStrictOss, TEST_ACCOUNT } from "../../support/oss/server.ts";
import { spawnStrictOss } from "../../support/oss/spawn.ts";

const signal = new AbortController().signal;
const KEY = "dir/ü (1).raw";
const bytes = randomBytes(300_000);

function configOf(endpoint: string): OssConfig {
  const { accessKeyId, accessKeySecret } = TEST_ACCOUNT;
  return { region: "cn-hangzhou", accessKeyId, accessKeySecret, endpoint, addressing: "virtual-host" };
}

async function put(server: { readonly endpoint: string }, content: Buffer, name = KEY): Promise<void> {
  const { accessKeyId, accessKeySecret } = TEST_ACCOUNT;
  const { endpoint } = server;
  const keys = { accessKeyId, accessKeySecret };
  const client = new AliOss({ ...keys, region: "oss-cn-hangzhou", bucket: "images", endpoint });
  await client.put(name, content);
}

const open = (server: { readonly endpoint: string }, key = KEY) =>
  ossSource(configOf(server.endpoint), { bucket: "images", key }, signal);

describe("an OSS object as a source", () => {
  test("reads any range, many at once", async () => {
    await using server = await startStrictOss();
    await put(server, bytes);
    await using source = await open(server);
    expect(source).toMatchObject({ name: `oss://images/${KEY}`, size: bytes.length });
    const ranges = [
      [0, 1],
      [0, bytes.length],
      [1000, 70_000],
      [bytes.length - 1, 1],
      [5, 0],
    ] as const;
    await Promise.all(
      ranges.map(async ([position, length]) => {
        const into = Buffer.alloc(length);
        await source.read(into, position, signal);
        expect(into.equals(bytes.subarray(position, position + length))).toBe(true);
      }),
    );
    const past = source.read(new Uint8Array(2), bytes.length - 1, signal);
    await expect(past).rejects.toMatchObject({ code: "IMAGE_TRUNCATED" });
  });

  test("is read by its recipe alone, which ends after an hour", async () => {
    let ahead = 0;
    await using server: StrictOss = await startStrictOss({ now: () => Date.now() + ahead });
    await put(server, bytes);
    await using source = await open(server);
    const recipe = await source.recipe(signal);
    if (recipe.kind !== "http") throw new Error(recipe.kind);
    expect(JSON.stringify(recipe)).not.toContain(TEST_ACCOUNT.accessKeySecret);
    const ask = { method: "GET", url: recipe.url, headers: recipe.headers, name: "x" } as const;
    const reply = await http(ask, signal);
    expect(reply.status).toBe(200);
    await discardBody(reply);
    ahead = 3_700_000;
    const late = await http(ask, signal);
    expect(late.status).toBe(403);
    await discardBody(late);
  });

  test("that is overwritten or removed is noticed", async () => {
    await using server = await startStrictOss();
    await put(server, bytes);
    await using source = await open(server);
    await source.check(signal);
    await put(server, randomBytes(bytes.length));
    await expect(source.check(signal)).rejects.toMatchObject({ code: "SOURCE_CHANGED" });
    await expect(source.read(new Uint8Array(10), 0, signal)).rejects.toMatchObject({
      code: "SOURCE_CHANGED",
    });
    const other = await open(server);
    expect(other.version).not.toBe(source.version);
    await server.bucket("images").remove(KEY, undefined);
    await expect(other.check(signal)).rejects.toMatchObject({ code: "NOT_FOUND" });
  });

  test("that breaks off within a range is read again", async () => {
    await using server = await startStrictOss();
    await put(server, bytes);
    await using source = await open(server);
    server.inject({ kind: "GetObject", fate: { act: "cut", when: "within" } });
    server.inject({ kind: "GetObject", fate: { act: "refuse", status: 503, code: "ServerBusy" } });
    const into = Buffer.alloc(200_000);
    await source.read(into, 50_000, signal);
    expect(into.equals(bytes.subarray(50_000, 250_000))).toBe(true);
    expect(server.count("GetObject")).toBe(3);
  });

  test("that is not there is NOT_FOUND", async () => {
    await using server = await startStrictOss();
    await expect(open(server)).rejects.toMatchObject({ code: "NOT_FOUND" });
  });
});

describe("the strict stand-in as a process", () => {
  test("serves, and ends when its standard input does", async () => {
    const server = await spawnStrictOss();
    await put(server, bytes);
    await using source = await open(server);
    await source.check(signal);
    await server[Symbol.asyncDispose]();
    expect(() => process.kill(server.pid, 0)).toThrowError(/ESRCH/);
  });
});
