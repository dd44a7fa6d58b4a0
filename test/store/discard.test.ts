/** What every store does with an upload that is to be forgotten, at whatever point it stands. */
import { mkdirSync, mkdtempSync, readdirSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import AliOss from "ali-oss";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { MiB } from "../../src/bytes/units.ts";
import { landImage } from "../../src/engine/land-image.ts";
import { openBytes } from "../../src/engine/open-image.ts";
import { openFile } from "../../src/source/file/file.ts";
import { openDirectory } from "../../src/store/directory/directory.ts";
import { openOss } from "../../src/store/oss/destination.ts";
import { openS3 } from "../../src/store/s3/destination.ts";
import type { Destination, UploadIntent, UploadToken } from "../../src/store/store.ts";
import { openSwift } from "../../src/store/swift/destination.ts";
import { memoryJournal } from "../../src/transfer/journal.ts";
import { createPool } from "../../src/worker/pool.ts";
import { noise } from "../oracle/disk.ts";
import { type StrictOss, startStrictOss, TEST_ACCOUNT } from "../support/oss/server.ts";
import { configFor, raw } from "../support/swift/drive.ts";
import { SWIFT, SWIFT_REASON, type SwiftServer, startSwift } from "../support/swift.ts";

const never = new AbortController().signal;
const pool = createPool({ threads: 1, lanesPerThread: 4 });
const directory = mkdtempSync(join(tmpdir(), "diskferry-discard-"));
let swift: SwiftServer | undefined;
let oss: StrictOss;

beforeAll(async () => {
  writeFileSync(join(directory, "one"), noise(6 * MiB));
  writeFileSync(join(directory, "two"), noise(5 * MiB, 2));
  oss = await startStrictOss();
  if (!SWIFT) return;
  swift = await startSwift();
  await raw(swift, "PUT", "/bucket");
});
afterAll(async () => {
  await pool[Symbol.asyncDispose]();
  await oss[Symbol.asyncDispose]();
  await swift?.stop();
  rmSync(directory, { recursive: true });
});

function server(): SwiftServer {
  if (swift === undefined) throw new Error("there is no Swift");
  return swift;
}

const STORES: readonly {
  readonly title: string;
  readonly available: boolean;
  open(name: string): Promise<Destination>;
}[] = [
  { title: "a directory", available: true, open: (name) => openDirectory(join(directory, name)) },
  {
    title: "OSS",
    available: true,
    open: (key) =>
      openOss(
        {
          region: "cn-hangzhou",
          accessKeyId: TEST_ACCOUNT.accessKeyId,
          accessKeySecret: TEST_ACCOUNT.accessKeySecret,
          endpoint: oss.endpoint,
          addressing: "virtual-host",
        },
        { bucket: "images", key },
        never,
      ),
  },
  {
    title: `Swift${SWIFT_REASON}`,
    available: SWIFT,
    open: (object) => openSwift(configFor(server()), { container: "images", object }, never),
  },
  {
    title: `S3${SWIFT_REASON}`,
    available: SWIFT,
    open(key) {
      const { endpoint, accessKey, secretKey } = server().s3;
      return openS3(
        { endpoint, accessKeyId: accessKey, secretAccessKey: secretKey },
        { bucket: "bucket", key },
        never,
      );
    },
  },
];

/** Lands a file, up to the moment at which the store would publish when `until` says so; returns the upload's token. */
async function land(
  file: string,
  destination: Destination,
  existing: UploadIntent["existing"],
  until: "published" | "sealed" = "published",
): Promise<UploadToken> {
  let token: UploadToken | undefined;
  const journal = memoryJournal();
  const stop = new AbortController();
  await using opened = await openBytes(await openFile(join(directory, file)), never);
  const landing = landImage(
    { format: "raw", adopt: "nothing", concurrency: 2, memory: 64 * MiB, bandwidth: 0, existing },
    opened,
    destination,
    {
      producer: pool,
      journal: {
        ...journal,
        async begin(_identity, begun) {
          token = begun;
        },
      },
      onProgress: () => {},
      onResume: () => {},
      onRetry: () => {},
      async mayCommit() {
        if (until === "published") return;
        stop.abort();
        stop.signal.throwIfAborted();
      },
    },
    stop.signal,
  );
  if (until === "published") await landing;
  else await expect(landing).rejects.toMatchObject({ code: "CANCELED" });
  if (token === undefined) throw new Error("no upload was begun");
  return token;
}

async function sizeOf(destination: Destination): Promise<number | undefined> {
  try {
    await using source = await destination.source(never);
    return source.size;
  } catch (error) {
    expect(error).toMatchObject({ code: "NOT_FOUND" });
    return undefined;
  }
}

describe.each(STORES.filter(({ available }) => available))(
  "an upload to $title that is discarded",
  ({ open }) => {
    it("before it is published leaves nothing to go on with, however often it is discarded", async () => {
      await using destination = await open("unfinished");
      const token = await land("one", destination, "refuse", "sealed");
      await destination.discard(token, never);
      await destination.discard(token, never);
      await expect(
        destination.resume(token, { existing: "refuse" }, never).then(async (upload) => {
          for await (const part of upload.held(never)) throw new Error(`part ${part.number} is left`);
          throw Object.assign(new Error("empty"), { code: "NOT_FOUND" });
        }),
      ).rejects.toMatchObject({ code: "NOT_FOUND" });
      expect(readdirSync(directory).sort()).toEqual(["one", "two"]);
    });

    it("after it is published takes its object along", async () => {
      await using destination = await open("landed");
      const token = await land("one", destination, "refuse");
      expect(await sizeOf(destination)).toBe(6 * MiB);
      await destination.discard(token, never);
      await destination.discard(token, never);
      expect(await sizeOf(destination)).toBeUndefined();
    });

    it("leaves an object alone that another upload has made since", async () => {
      await using destination = await open("replaced");
      const token = await land("one", destination, "refuse");
      const later = await land("two", destination, "replace");
      await destination.discard(token, never);
      expect(await sizeOf(destination)).toBe(5 * MiB);
      await destination.discard(later, never);
      expect(await sizeOf(destination)).toBeUndefined();
    });
  },
);

describe.each(STORES.filter(({ available }) => available))(
  "an object in $title that is removed",
  ({ open }) => {
    it("is gone, however often it is removed, and objects whose names begin like its own stay", async () => {
      await using destination = await open("gone");
      await using neighbour = await open("gone.2");
      for (const place of [destination, neighbour]) await land("one", place, "refuse");
      for (const _ of [1, 2]) expect(await destination.remove(never)).toBe("removed");
      expect([await sizeOf(destination), await sizeOf(neighbour)]).toEqual([undefined, 6 * MiB]);
      await using again = await open("gone");
      await land("two", again, "refuse");
      expect(await sizeOf(again)).toBe(5 * MiB);
      for (const place of [again, neighbour]) await place.remove(never);
    });
  },
);

describe("an object that diskferry has not made", () => {
  it("stays in a directory, if it is none of a file", async () => {
    mkdirSync(join(directory, "folder"));
    await using destination = await openDirectory(join(directory, "folder"));
    expect(await destination.remove(never)).toBe("not ours");
    rmdirSync(join(directory, "folder"));
  });

  it.skipIf(!SWIFT)(`stays in Swift${SWIFT_REASON}`, async () => {
    await raw(server(), "PUT", "/images");
    await raw(server(), "PUT", "/images/foreign", { body: "theirs" });
    await using destination = await openSwift(
      configFor(server()),
      { container: "images", object: "foreign" },
      never,
    );
    expect(await destination.remove(never)).toBe("not ours");
    expect(await sizeOf(destination)).toBe(6);
  });

  it("stays in OSS", async () => {
    const client = new AliOss({
      ...TEST_ACCOUNT,
      region: "oss-cn-hangzhou",
      bucket: "images",
      endpoint: oss.endpoint,
    });
    await client.put("foreign", Buffer.from("theirs"));
    const open = STORES.find(({ title }) => title === "OSS")?.open;
    await using destination = await open?.("foreign");
    expect(await destination?.remove(never)).toBe("not ours");
    expect((await client.head("foreign")).res.headers).toHaveProperty("etag");
  });
});

it.skipIf(!SWIFT)(
  `nothing of an object that is removed is left in Swift, not even when it was cut off${SWIFT_REASON}`,
  async () => {
    await using destination = await openSwift(
      configFor(server()),
      { container: "images", object: "cut" },
      never,
    );
    await land("one", destination, "refuse");
    const listed = async () => (await raw(server(), "GET", "/images_segments?prefix=cut/")).text.trim();
    expect(await listed()).not.toBe("");
    // As if the process had died behind the object.
    await raw(server(), "DELETE", "/images/cut");
    expect(await destination.remove(never)).toBe("removed");
    expect(await listed()).toBe("");
  },
);
