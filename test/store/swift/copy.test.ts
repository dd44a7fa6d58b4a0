/** Copies between containers and accounts of a real Swift: the store moves the bytes, and nobody else. */
import { writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { MiB } from "../../../src/bytes/units.ts";
import type { CopyPart } from "../../../src/store/store.ts";
import { openSwiftClient } from "../../../src/store/swift/client.ts";
import { openSwift } from "../../../src/store/swift/destination.ts";
import { manifestEtag } from "../../../src/store/swift/manifest.ts";
import { type Segment, segmentsOf } from "../../../src/store/swift/segments.ts";
import { swiftSource } from "../../../src/store/swift/source.ts";
import { type Event, events, Program, type Running } from "../../cli/program.ts";
import { QEMU, QEMU_REASON, qemuImg } from "../../support/qemu.ts";
import { configFor, listing, md5, noise, raw, signal } from "../../support/swift/drive.ts";
import { startMeddler, type Verdict } from "../../support/swift/meddler.ts";
import { SWIFT, SWIFT_REASON, type SwiftServer, startSwift } from "../../support/swift.ts";

const EMPTY = md5("");
const disk = Buffer.concat([
  noise(3 * MiB, 1),
  Buffer.alloc(5 * MiB),
  noise(2 * MiB, 2),
  Buffer.alloc(9 * MiB),
  noise(MiB, 3),
]);

describe.skipIf(!SWIFT)(`a copy inside Swift${SWIFT_REASON}`, { timeout: 60_000 }, () => {
  let server: SwiftServer;
  let program: Program;

  beforeAll(async () => {
    // Manifests of few entries, so that even this disk takes several of them.
    server = await startSwift({ maxManifestSegments: 8 });
    program = new Program({ ST_AUTH: server.authUrl, ST_USER: server.user, ST_KEY: server.key });
    writeFileSync(program.path("disk.raw"), disk);
    await moved("--segment-size", "1M", "disk.raw", "swift://from/disk.raw");
  }, 60_000);
  afterAll(async () => {
    program?.[Symbol.dispose]();
    await server?.stop();
  });

  async function moved(...args: string[]): Promise<Event> {
    const { status, stdout, stderr } = await program.run("transfer", "--json", ...args);
    expect([status, stderr]).toEqual([0, ""]);
    return events(stdout).at(-1) as Event;
  }
  const content = async (path: string): Promise<Buffer> =>
    Buffer.from((await raw(server, "GET", path)).bytes);
  const segments = async (container: string, object: string): Promise<readonly Segment[]> => {
    const client = await openSwiftClient(configFor(server), signal);
    const { headers } = await raw(server, "HEAD", `/${container}/${object}`);
    const pin = {
      size: Number(headers.get("content-length")),
      etag: (headers.get("etag") ?? "").replaceAll('"', ""),
    };
    return (await segmentsOf(client, { container, object }, pin, signal)) ?? [];
  };
  const shapes = (list: readonly Segment[]) =>
    list.map(({ offset, length, etag, zero = false }) => ({ offset, length, etag, zero }));
  const source = (object: string, config = configFor(server)) =>
    swiftSource(config, { container: "from", object }, signal);
  const target = (object: string, config = configFor(server)) =>
    openSwift(config, { container: "to", object }, signal);
  /** A proxy in front of the server, and how to log in through it. */
  const behind = async (judge: (path: string, from: string | undefined) => Verdict) => {
    const meddler = await startMeddler(server.url, ({ path, headers }) =>
      judge(path, headers["x-copy-from"] as string | undefined),
    );
    const storage = server.storageUrl.replace(server.url, meddler.url);
    return { meddler, env: { ST_AUTH: server.authUrl, OS_STORAGE_URL: storage } };
  };

  it("has the segments of its source and the same references to zeros, and no byte comes by", async () => {
    const before = server.log().length;
    const done = await moved("swift://from/disk.raw", "swift://to/copy.raw");
    const log = server.log().slice(before);
    expect(done).toMatchObject({ size: disk.length, virtualSize: disk.length, sent: 0 });
    expect(done).not.toHaveProperty("guestDigest");
    expect((await content("/to/copy.raw")).equals(disk)).toBe(true);
    const copied = await segments("to", "copy.raw");
    expect(shapes(copied)).toEqual(shapes(await segments("from", "disk.raw")));
    expect(copied.filter(({ zero }) => zero)).toHaveLength(14);
    expect(new Set(copied.map(({ at }) => at.container))).toEqual(new Set(["to_segments"]));
    // The format is looked for in the ends of the file; the rest are manifests and listings.
    expect(crossed(log)).toBeLessThan(100 * 1024);
  });

  it("goes on without its source", async () => {
    await moved("--segment-size", "1M", "disk.raw", "swift://from/gone.raw");
    await moved("swift://from/gone.raw", "swift://to/stays.raw");
    for (const { name } of await listing(server, "from_segments", "gone.raw/")) {
      await raw(server, "DELETE", `/from_segments/${name}`);
    }
    expect((await content("/to/stays.raw")).equals(disk)).toBe(true);
  });

  it("is one part where the source is a plain object, and does not expire with it", async () => {
    await raw(server, "PUT", "/from/plain.raw", {
      body: "plain bytes, but enough of them to be a disk".repeat(64),
      headers: { "x-delete-after": "86400", "x-object-meta-owner": "somebody" },
    });
    const done = await moved("swift://from/plain.raw", "swift://to/plain.raw");
    expect(done).toMatchObject({ sent: 0 });
    const [only, ...others] = await segments("to", "plain.raw");
    expect(others).toEqual([]);
    const { headers } = await raw(server, "HEAD", `/to_segments/${only?.at.object}`);
    expect([headers.get("x-delete-at"), headers.get("x-object-meta-owner")]).toEqual([null, null]);
    expect((await content("/to/plain.raw")).equals(await content("/from/plain.raw"))).toBe(true);
  });

  it.skipIf(!QEMU)(
    `keeps an image of any format byte for byte, unless something is to be converted${QEMU_REASON}`,
    async () => {
      qemuImg(
        "convert",
        "-c",
        "-O",
        "qcow2",
        "-f",
        "raw",
        program.path("disk.raw"),
        program.path("disk.qcow2"),
      );
      await moved("disk.qcow2", "swift://from/disk.qcow2", "--compression", "zlib");
      const copied = await moved("swift://from/disk.qcow2", "swift://to/disk.qcow2", "--verify");
      expect(copied).toMatchObject({ sent: 0, virtualSize: disk.length, verified: true });
      expect((await content("/to/disk.qcow2")).equals(await content("/from/disk.qcow2"))).toBe(true);
      const converted = await moved(
        "swift://from/disk.qcow2",
        "swift://to/plain.qcow2",
        "--compression",
        "none",
      );
      expect(converted["sent"]).toBeGreaterThan(5 * MiB);
      expect(converted).toHaveProperty("guestDigest");
    },
  );

  it("reaches into another account that lets it read, and sends where it does not", async () => {
    const theirs = {
      ...configFor(server, { ST_USER: "test2:tester2", ST_KEY: "testing2" }),
    };
    const from = await source("disk.raw");
    expect(await (await target("x", theirs)).copyParts?.(from, signal)).toBeUndefined();
    const allowed = { headers: { "x-container-read": "test2:tester2" } };
    for (const container of ["from", "from_segments"]) await raw(server, "POST", `/${container}`, allowed);
    const destination = await target("x", theirs);
    const parts = await destination.copyParts?.(from, signal);
    expect(parts?.map(({ from: { account } }) => account)).toEqual(Array(20).fill("AUTH_test"));
    const upload = await destination.begin({ existing: "refuse" }, signal);
    const [first] = parts ?? [];
    const receipt = await upload.copy?.({ ...(first as CopyPart), number: 1 }, signal);
    expect(receipt).toMatchObject({ length: MiB, etag: md5(disk.subarray(0, MiB)) });
    expect(await destination.begin({ existing: "refuse" }, signal)).toBeDefined();
    await upload.abort(signal);
  });

  it("is not offered of an object that lies elsewhere, or is another one by now", async () => {
    const { meddler, env } = await behind(() => "pass");
    try {
      const elsewhere = await source("disk.raw", configFor(server, env));
      expect(await (await target("x")).copyParts?.(elsewhere, signal)).toBeUndefined();
    } finally {
      await meddler.stop();
    }
    await raw(server, "PUT", "/from/soon.raw", { body: "first" });
    const before = await source("soon.raw");
    await raw(server, "PUT", "/from/soon.raw", { body: "later" });
    expect(await (await target("x")).copyParts?.(before, signal)).toBeUndefined();
  });

  it("fails when a segment is another one by the time it is copied", async () => {
    await moved("--segment-size", "1M", "disk.raw", "swift://from/odd.raw");
    const destination = await target("odd.raw");
    const [first] = (await destination.copyParts?.(await source("odd.raw"), signal)) ?? [];
    const { object = "" } = first?.from ?? {};
    await raw(server, "PUT", `/from_segments/${object}`, { body: "other bytes" });
    const upload = await destination.begin({ existing: "refuse" }, signal);
    const copying = upload.copy?.({ ...(first as CopyPart), number: 1 }, signal);
    await expect(copying).rejects.toMatchObject({ code: "SOURCE_CHANGED" });
    await upload.abort(signal);
  });

  it.each([
    ["is forbidden", { status: 403 }],
    ["is refused", { status: 400 }],
    ["is unknown", { status: 501 }],
    ["is taken for an upload of nothing", { status: 201, headers: { etag: EMPTY } }],
  ])("sends the rest, cut alike, where copying %s", async (_why, answer) => {
    let copies = 0;
    const { meddler, env } = await behind((_path, from) => {
      if (from === undefined) return "pass";
      copies += 1;
      return copies > 2 ? answer : "pass";
    });
    try {
      using user = new Program({ ...env, ST_USER: server.user, ST_KEY: server.key });
      const place = `swift://to/mixed-${answer.status}.raw`;
      const { status, stdout, stderr } = await user.run("transfer", "--json", "swift://from/disk.raw", place);
      expect([status, stderr]).toEqual([0, ""]);
      const { sent } = events(stdout).at(-1) as unknown as { sent: number };
      // Zeros are sent, too, as one object.
      expect(sent).toBeGreaterThanOrEqual(4 * MiB);
      expect(sent).toBeLessThan(8 * MiB);
    } finally {
      await meddler.stop();
    }
    const name = `mixed-${answer.status}.raw`;
    expect((await content(`/to/${name}`)).equals(disk)).toBe(true);
    expect(shapes(await segments("to", name))).toEqual(shapes(await segments("from", "disk.raw")));
  });

  it("goes on after a kill: what Swift holds is not copied again, heard of or not", async () => {
    const asked: string[] = [];
    let run: Running | undefined;
    const { meddler, env } = await behind((path, from) => {
      const part = /\/(\d{8})$/.exec(path)?.[1];
      if (from === undefined || part === undefined) return "pass";
      asked.push(part);
      // The third is copied, and nobody hears of it; asking again for it is the last that the program does.
      if (asked.length === 3) return "lose";
      if (asked.length === 4) run?.kill("SIGKILL");
      return asked.length === 4 ? { status: 503 } : "pass";
    });
    try {
      using user = new Program({ ...env, ST_USER: server.user, ST_KEY: server.key });
      const order = [
        "transfer",
        "--json",
        "--concurrency",
        "1",
        "swift://from/disk.raw",
        "swift://to/killed.raw",
      ];
      run = user.start(...order);
      await run.ended;
      const { status, stdout } = await user.run(...order);
      expect(status).toBe(0);
      expect(events(stdout)).toContainEqual(expect.objectContaining({ event: "resume", landed: 2 }));
      expect(asked).toEqual([
        "00000001",
        "00000002",
        "00000003",
        "00000003",
        "00000005",
        "00000006",
        "00000008",
      ]);
    } finally {
      await meddler.stop();
    }
    expect((await content("/to/killed.raw")).equals(disk)).toBe(true);
    expect(await listing(server, "to_segments", "killed.raw/")).toHaveLength(10);
  });

  describe("of a manifest that", () => {
    const entry = (name: string, bytes: number, more: object = {}) => ({ name, hash: EMPTY, bytes, ...more });
    const etagOf = (entries: readonly ReturnType<typeof entry>[]) =>
      manifestEtag(entries.map(({ name, hash, bytes }) => ({ path: name, etag: hash, size_bytes: bytes })));
    /** What is made of a manifest that the server might give out, with the ETag that it would have. */
    async function read(entries: readonly object[], size: number, etag = etagOf(entries as never)) {
      const manifest = JSON.stringify(entries);
      const { meddler, env } = await behind((path) =>
        path.includes("multipart-manifest=get") ? { status: 200, body: manifest } : "pass",
      );
      try {
        const client = await openSwiftClient(configFor(server, env), signal);
        return await segmentsOf(client, { container: "from", object: "x" }, { size, etag }, signal);
      } finally {
        await meddler.stop();
      }
    }

    it("is plain, knows its segments", async () => {
      expect(await read([entry("/c/a", 3), entry("/c/b/d", 4)], 7)).toMatchObject([
        { offset: 0, length: 3, at: { container: "c", object: "a" } },
        { offset: 3, length: 4, at: { container: "c", object: "b/d" } },
      ]);
    });

    it("names zeros by their name alone, does not believe it", async () => {
      const name = `/c/x/diskferry-${"0".repeat(32)}/zero/4`;
      expect((await read([entry(name, 4)], 4))?.[0]).not.toHaveProperty("zero");
    });

    it("is not the one of this object, or has bytes of its own, knows nothing", async () => {
      expect(await read([entry("/c/a", 3)], 3, md5("another"))).toBeUndefined();
      expect(await read([{ data: "AAAA" }], 3, EMPTY)).toBeUndefined();
    });

    it("names a manifest that is not there, knows nothing", async () => {
      expect(await read([entry("/c/a", 3, { sub_slo: true })], 3)).toBeUndefined();
    });

    it.each([
      ["makes another size", [entry("/c/a", 3)], 4],
      ["has a size below nothing", [entry("/c/a", -1)], -1],
      ["names no object", [entry("/c", 3)], 3],
      ["names no container", [entry("//c", 3)], 3],
    ])("%s, knows nothing", async (_what, entries, size) => {
      expect(await read(entries, size)).toBeUndefined();
    });
  });
});

/** Bytes of bodies and answers between the store and its users; not between its own parts. */
function crossed(log: string): number {
  const lines = log.split("\n").map((line) => line.slice(line.indexOf("proxy: ")).split(" "));
  const outside = lines.filter(([mark, address]) => mark === "proxy:" && address !== "-");
  expect(outside.length).toBeGreaterThan(20);
  return outside.reduce((sum, fields) => sum + (Number(fields[11]) || 0) + (Number(fields[12]) || 0), 0);
}
