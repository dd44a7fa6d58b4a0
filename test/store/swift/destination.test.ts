import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { MiB } from "../../../src/bytes/units.ts";
import type { PartReceipt } from "../../../src/store/store.ts";
import { openSwift } from "../../../src/store/swift/destination.ts";
import { swiftSource } from "../../../src/store/swift/source.ts";
import {
  all,
  configFor,
  listing,
  md5,
  noise,
  putOnce,
  raw,
  send,
  signal,
} from "../../support/swift/drive.ts";
import { startMeddler } from "../../support/swift/meddler.ts";
import { SWIFT, SWIFT_REASON, type SwiftServer, startSwift } from "../../support/swift.ts";

const CLI = spawnSync("swift", ["--version"]).status === 0;
const CLI_REASON = CLI ? "" : " (skipped: the swift command is not installed)";

describe.skipIf(!SWIFT)(`a Swift destination${SWIFT_REASON}`, () => {
  let server: SwiftServer;
  beforeAll(async () => {
    server = await startSwift();
  });
  afterAll(async () => {
    await server?.stop();
  });

  const open = (object: string, container = "images") =>
    openSwift(configFor(server), { container, object }, signal);

  /** Lands two parts and reports what the object must be. */
  async function land(object: string, seed: number, existing: "refuse" | "replace" = "refuse") {
    const destination = await open(object);
    const upload = await destination.begin({ existing }, signal);
    const bytes = [noise(MiB, seed), noise(1000, seed + 100)];
    const parts: PartReceipt[] = [];
    for (const [i, part] of bytes.entries()) parts.push(await send(upload, i + 1, part));
    const landed = await upload.complete(parts, {}, signal);
    return { destination, upload, parts, landed, whole: Buffer.concat(bytes) };
  }

  it("makes both containers and an object equal to its parts, with the ETag that it reports", async () => {
    const { landed, whole } = await land("plain", 1);
    const got = await raw(server, "GET", "/images/plain");
    expect(md5(got.bytes)).toBe(md5(whole));
    expect(landed).toMatchObject({ name: "swift://images/plain", size: whole.length });
    expect(got.headers.get("etag")).toBe(`"${landed.etag}"`);
    expect(got.headers.get("content-type")).toBe("application/octet-stream");
    expect((await listing(server, "images_segments", "plain/")).length).toBe(2);
  });

  it("carries names with spaces, percent signs and letters of any script", async () => {
    const { whole } = await land("Bilder/50% größer +&?#.raw", 2);
    const got = await raw(server, "GET", `/images/${encodeURIComponent("Bilder/50% größer +&?#.raw")}`);
    expect(md5(got.bytes)).toBe(md5(whole));
  });

  it.each(["a/../b", "./a", "..", "a\0b"])(
    "refuses the name %j, which a URL cannot carry",
    async (object) => {
      await expect(open(object)).rejects.toMatchObject({ code: "USAGE" });
    },
  );

  it("orders parts as given, whatever their numbers and the order of their sending", async () => {
    const upload = await (await open("gaps")).begin({ existing: "refuse" }, signal);
    const late = await send(upload, 900, noise(500, 3));
    const early = await send(upload, 7, noise(300, 4));
    await upload.complete([early, late], {}, signal);
    const got = await raw(server, "GET", "/images/gaps");
    expect(md5(got.bytes)).toBe(md5(Buffer.concat([noise(300, 4), noise(500, 3)])));
  });

  it("lands an object of no bytes", async () => {
    const upload = await (await open("empty")).begin({ existing: "refuse" }, signal);
    expect(await upload.complete([], {}, signal)).toMatchObject({ size: 0 });
    const got = await raw(server, "GET", "/images/empty");
    expect([got.status, got.bytes.length]).toEqual([200, 0]);
  });

  it("sends zeros once, however many runs there are, and reads them back", async () => {
    const destination = await open("zeros");
    const upload = await destination.begin({ existing: "refuse" }, signal);
    const hash = createHash("md5");
    const parts: PartReceipt[] = [];
    let offset = 0;
    const zeros = async (number: number, length: number) => {
      parts.push(await upload.zeros({ number, length, offset }, signal));
      for (let left = length; left > 0; left -= MiB) hash.update(new Uint8Array(Math.min(left, MiB)));
      offset += length;
    };
    const data = async (number: number, bytes: Uint8Array) => {
      parts.push(await send(upload, number, bytes));
      hash.update(bytes);
      offset += bytes.length;
    };
    await zeros(1, 15 * MiB);
    await zeros(2, 10 * MiB + 512);
    await data(3, noise(MiB, 5));
    await zeros(4, 3 * MiB + 70_000);
    await data(5, noise(2000, 6));
    await zeros(6, MiB);
    const landed = await upload.complete(parts, {}, signal);
    expect(landed.size).toBe(offset);
    const held = await listing(server, "images_segments", "zeros/");
    expect(held.reduce((sum, { bytes }) => sum + bytes, 0)).toBe(MiB + 2000 + MiB);
    const got = await raw(server, "GET", "/images/zeros");
    expect(md5(got.bytes)).toBe(hash.digest("hex"));
  });

  it("lands an object of nothing but zeros", async () => {
    const upload = await (await open("blank")).begin({ existing: "refuse" }, signal);
    const part = await upload.zeros({ number: 1, length: 5 * MiB, offset: 0 }, signal);
    await upload.complete([part], {}, signal);
    const got = await raw(server, "GET", "/images/blank");
    expect(md5(got.bytes)).toBe(md5(new Uint8Array(5 * MiB)));
  });

  it("refuses to begin where an object is, unless it may replace it", async () => {
    await land("there", 7);
    const destination = await open("there");
    await expect(destination.begin({ existing: "refuse" }, signal)).rejects.toMatchObject({
      code: "ALREADY_EXISTS",
      message: expect.stringContaining("swift://images/there"),
    });
    await destination.begin({ existing: "replace" }, signal);
  });

  it("does not take the place of an object that appeared meanwhile, and leaves it whole", async () => {
    const upload = await (await open("raced")).begin({ existing: "refuse" }, signal);
    const parts = [
      await send(upload, 1, noise(1000, 8)),
      await upload.zeros({ number: 2, length: MiB, offset: 1000 }, signal),
    ];
    const { whole } = await land("raced", 9);
    await expect(upload.complete(parts, {}, signal)).rejects.toMatchObject({ code: "ALREADY_EXISTS" });
    // Nothing more was sent for an object that cannot be.
    expect((await listing(server, "images_segments", `raced/${upload.token["id"]}/`)).length).toBe(1);
    await upload.abort(signal);
    expect(md5((await raw(server, "GET", "/images/raced")).bytes)).toBe(md5(whole));
  });

  it("is told by the store of an object that appeared after the last look", async () => {
    const { upload, meddler, whole } = await (async () => {
      // The first look at the object is answered with "nothing there".
      let looks = 0;
      const meddler = await startMeddler(server.url, ({ method, path }) =>
        method === "HEAD" && path.endsWith("/images/late") && ++looks <= 1 ? { status: 404 } : "pass",
      );
      const destination = await openSwift(
        configFor(server, { OS_STORAGE_URL: `${meddler.url}/v1/AUTH_test` }),
        { container: "images", object: "late" },
        signal,
      );
      const token = (await (await open("late")).begin({ existing: "refuse" }, signal)).token;
      const { whole } = await land("late", 10);
      return { upload: await destination.resume(token, { existing: "refuse" }, signal), meddler, whole };
    })();
    const parts = [await send(upload, 1, noise(1000, 11))];
    await expect(upload.complete(parts, {}, signal)).rejects.toMatchObject({ code: "ALREADY_EXISTS" });
    expect(md5((await raw(server, "GET", "/images/late")).bytes)).toBe(md5(whole));
    await meddler.stop();
  });

  it("removes the segments of the object that it replaces, and only those", async () => {
    await land("again", 12);
    await land("again/neighbour", 13);
    const before = await listing(server, "images_segments", "again/");
    const { whole, upload } = await land("again", 14, "replace");
    const after = await listing(server, "images_segments", "again/");
    expect(after.length).toBe(before.length);
    expect(after.filter(({ name }) => name.startsWith(`again/${upload.token["id"]}/`)).length).toBe(2);
    expect(after.filter(({ name }) => name.startsWith("again/neighbour/")).length).toBe(2);
    expect(md5((await raw(server, "GET", "/images/again")).bytes)).toBe(md5(whole));
  });

  it("keeps the segments that others made, when it replaces their object", async () => {
    await raw(server, "PUT", "/images_segments");
    await raw(server, "PUT", "/images_segments/theirs/seg/1", { body: "segment" });
    await raw(server, "PUT", "/images/theirs?multipart-manifest=put", {
      body: JSON.stringify([{ path: "/images_segments/theirs/seg/1" }]),
      headers: { "x-object-meta-diskferry-upload": "seg" },
    });
    await land("theirs", 15, "replace");
    expect((await raw(server, "GET", "/images_segments/theirs/seg/1")).text).toBe("segment");
  });

  it("refuses to complete when a part is no longer what was acknowledged", async () => {
    const upload = await (await open("swapped")).begin({ existing: "refuse" }, signal);
    const part = await send(upload, 1, noise(1000, 16));
    await send(upload, 1, noise(1000, 17));
    await expect(upload.complete([part], {}, signal)).rejects.toMatchObject({
      code: "VERIFY_FAILED",
      message: expect.stringMatching(/swapped\/diskferry-[0-9a-f]+\/00000001: Etag Mismatch/),
    });
    expect((await raw(server, "HEAD", "/images/swapped")).status).toBe(404);
  });

  it("leaves nothing when aborted, before and after completing, and again", async () => {
    const upload = await (await open("gone")).begin({ existing: "refuse" }, signal);
    const data = await send(upload, 1, noise(MiB, 18));
    const zeros = await upload.zeros({ number: 2, length: 2 * MiB, offset: MiB }, signal);
    await upload.abort(signal);
    expect(await listing(server, "images_segments", "gone/")).toEqual([]);
    await send(upload, 1, noise(MiB, 18));
    await upload.complete([data, zeros], {}, signal);
    await upload.abort(signal);
    await upload.abort(signal);
    expect(await listing(server, "images_segments", "gone/")).toEqual([]);
    expect(await listing(server, "images", "gone")).toEqual([]);
  });

  it("knows after a restart which parts are held, all pages of them, and goes on", async () => {
    const destination = await open("resumed");
    const first = await destination.begin({ existing: "refuse" }, signal);
    const one = await send(first, 1, noise(MiB, 19));
    const three = await send(first, 3, noise(700, 20));
    const token = JSON.parse(JSON.stringify(first.token));
    const second = await (await open("resumed")).resume(token, { existing: "refuse" }, signal);
    const held = await all(second.held(signal));
    expect(held).toEqual([
      { number: 1, length: MiB, etag: one.etag },
      { number: 3, length: 700, etag: three.etag },
    ]);
    const two = await send(second, 2, noise(800, 21));
    await second.complete([one, two, three], {}, signal);
    const whole = Buffer.concat([noise(MiB, 19), noise(800, 21), noise(700, 20)]);
    expect(md5((await raw(server, "GET", "/images/resumed")).bytes)).toBe(md5(whole));
  });

  it("does not resume an upload to another place, nor one whose container is gone", async () => {
    const upload = await (await open("x", "fleeting")).begin({ existing: "refuse" }, signal);
    const elsewhere = await open("y", "fleeting");
    await expect(elsewhere.resume(upload.token, { existing: "refuse" }, signal)).rejects.toMatchObject({
      code: "NOT_FOUND",
    });
    await raw(server, "DELETE", "/fleeting_segments");
    const same = await open("x", "fleeting");
    await expect(same.resume(upload.token, { existing: "refuse" }, signal)).rejects.toMatchObject({
      code: "NOT_FOUND",
      message: expect.stringContaining("fleeting_segments"),
    });
  });

  it("answers a second complete as the first", async () => {
    const { upload, parts, landed } = await land("twice", 22);
    expect(await upload.complete(parts, {}, signal)).toEqual(landed);
  });

  it("finds the object made when the reply to its making is lost", async () => {
    let lost = 0;
    const meddler = await startMeddler(server.url, ({ method, path }) =>
      method === "PUT" && path.includes("/images/lost?multipart-manifest=put") && lost++ === 0
        ? "lose"
        : "pass",
    );
    const destination = await openSwift(
      configFor(server, { OS_STORAGE_URL: `${meddler.url}/v1/AUTH_test` }),
      { container: "images", object: "lost" },
      signal,
    );
    const upload = await destination.begin({ existing: "refuse" }, signal);
    const parts = [await send(upload, 1, noise(3000, 23))];
    expect(await upload.complete(parts, {}, signal)).toMatchObject({ size: 3000 });
    expect(lost).toBe(1);
    await meddler.stop();
  });

  it("does not vouch for an object that the store shows with another size or ETag", async () => {
    let made = false;
    let shown: Record<string, string> = {};
    const meddler = await startMeddler(server.url, ({ method, path, headers }) => {
      if (method === "PUT" && path.includes("/images/wrong?multipart-manifest=put")) {
        made = true;
        shown["x-object-meta-diskferry-upload"] = String(headers["x-object-meta-diskferry-upload"]);
      }
      return method === "HEAD" && made && path.endsWith("/images/wrong")
        ? { status: 200, headers: shown }
        : "pass";
    });
    for (const lie of [{ "content-length": "3001" }, { etag: md5("other") }]) {
      const destination = await openSwift(
        configFor(server, { OS_STORAGE_URL: `${meddler.url}/v1/AUTH_test` }),
        { container: "images", object: "wrong" },
        signal,
      );
      made = false;
      shown = { "content-length": "3000", etag: md5(md5(noise(3000, 40))), ...lie };
      const upload = await destination.begin({ existing: "replace" }, signal);
      const parts = [await send(upload, 1, noise(3000, 40))];
      await expect(upload.complete(parts, {}, signal)).rejects.toMatchObject({ code: "VERIFY_FAILED" });
    }
    await meddler.stop();
  });

  it("looks again for what a listing did not show yet", async () => {
    const upload = await (await open("stale")).begin({ existing: "refuse" }, signal);
    await send(upload, 1, noise(100, 41));
    const old = JSON.stringify(await listing(server, "images_segments", "stale/"));
    await send(upload, 2, noise(100, 42));
    const answers = [old, "[]"];
    const meddler = await startMeddler(server.url, ({ method, path }) => {
      const body = method === "GET" && path.includes("images_segments?") ? answers.shift() : undefined;
      return body === undefined ? "pass" : { status: 200, body };
    });
    const destination = await openSwift(
      configFor(server, { OS_STORAGE_URL: `${meddler.url}/v1/AUTH_test` }),
      { container: "images", object: "stale" },
      signal,
    );
    await (await destination.resume(upload.token, { existing: "refuse" }, signal)).abort(signal);
    expect(await listing(server, "images_segments", "stale/")).toEqual([]);
    await meddler.stop();
  });

  it("names no part of an object of zeros where the store would ignore the range", async () => {
    const info = JSON.parse(await (await fetch(`${server.url}/info`)).text());
    delete info.slo.min_segment_size;
    const meddler = await startMeddler(server.url, ({ path }) =>
      path === "/info" ? { status: 200, body: JSON.stringify(info) } : "pass",
    );
    const destination = await openSwift(
      configFor(server, { OS_STORAGE_URL: `${meddler.url}/v1/AUTH_test` }),
      { container: "images", object: "whole" },
      signal,
    );
    const upload = await destination.begin({ existing: "refuse" }, signal);
    const length = 5 * MiB + 300_000;
    const zeros = await upload.zeros({ number: 1, length, offset: 0 }, signal);
    const data = await send(upload, 2, noise(1000, 24));
    await upload.complete([zeros, data], {}, signal);
    const manifest = (await raw(server, "GET", "/images/whole?multipart-manifest=get")).text;
    expect(manifest).not.toContain('"range"');
    const got = await raw(server, "GET", "/images/whole");
    expect(md5(got.bytes)).toBe(md5(Buffer.concat([new Uint8Array(length), noise(1000, 24)])));
    await meddler.stop();
  });

  it("lists the uploads that were given up, not the one in place, and they can be removed", async () => {
    const given = await (await open("listed")).begin({ existing: "replace" }, signal);
    await send(given, 1, noise(1000, 25));
    const { destination, upload } = await land("listed", 26, "replace");
    const found = await all(destination.listUploads(signal));
    expect(found).toEqual([given.token]);
    for (const token of found) {
      await (await destination.resume(token, { existing: "refuse" }, signal)).abort(signal);
    }
    expect(await all(destination.listUploads(signal))).toEqual([]);
    const left = await listing(server, "images_segments", "listed/");
    expect(left.every(({ name }) => name.startsWith(`listed/${upload.token["id"]}/`))).toBe(true);
    expect(left.length).toBe(2);
  });

  it("reads the landed object by ranges, and notices when it is replaced", async () => {
    const { destination, whole } = await land("read", 27);
    await using source = await destination.source(signal);
    expect(source.size).toBe(whole.length);
    const into = new Uint8Array(900);
    await source.read(into, MiB - 400, signal);
    expect(Buffer.compare(into, whole.subarray(MiB - 400, MiB + 500))).toBe(0);
    await land("read", 28, "replace");
    await expect(source.read(into, 0, signal)).rejects.toMatchObject({ code: "SOURCE_CHANGED" });
    await expect(source.check(signal)).rejects.toMatchObject({ code: "SOURCE_CHANGED" });
  });

  it("gives other threads a recipe with which they can read a dynamic large object too", async () => {
    await raw(server, "PUT", "/images_segments/dlo/1", { body: "first-" });
    await raw(server, "PUT", "/images_segments/dlo/2", { body: "second" });
    await raw(server, "PUT", "/images/dlo", { headers: { "x-object-manifest": "images_segments/dlo/" } });
    const source = await swiftSource(configFor(server), { container: "images", object: "dlo" }, signal);
    const recipe = await source.recipe(signal);
    if (recipe.kind !== "http") throw new Error(recipe.kind);
    const reply = await fetch(recipe.url, { headers: { ...recipe.headers, range: "bytes=4-8" } });
    expect([source.size, await reply.text()]).toEqual([12, "t-sec"]);
  });

  it("says which object is missing", async () => {
    const missing = swiftSource(configFor(server), { container: "images", object: "nowhere" }, signal);
    await expect(missing).rejects.toMatchObject({
      code: "NOT_FOUND",
      message: expect.stringContaining("swift://images/nowhere"),
    });
  });

  it("stops waiting when it is told to", async () => {
    const { destination } = await land("stopped", 29);
    const controller = new AbortController();
    controller.abort(new Error("enough"));
    await expect(destination.begin({ existing: "replace" }, controller.signal)).rejects.toThrow();
  });

  it("asks for a part's bytes to be proved by their MD5", async () => {
    const upload = await (await open("proof")).begin({ existing: "refuse" }, signal);
    expect(await upload.target({ number: 1 }, signal)).toMatchObject({
      kind: "http",
      method: "PUT",
      expect: { etag: "md5" },
      name: "swift://images/proof part 1",
    });
    expect((await putOnce(upload, 1, noise(10, 1))).receipt.etag).toBe(md5(noise(10, 1)));
  });

  it.skipIf(!CLI)(`lands what the swift command downloads byte for byte${CLI_REASON}`, async () => {
    const { whole } = await land("cli", 30);
    const bytes = execFileSync(
      "swift",
      ["-A", server.authUrl, "-U", server.user, "-K", server.key, "download", "images", "cli", "-o", "-"],
      { maxBuffer: 16 * MiB },
    );
    expect(md5(bytes)).toBe(md5(whole));
  });
});
