import { describe, expect, it } from "vitest";
import { crc64, crc64Hex } from "../../../src/digest/crc64.ts";
import { openAccess } from "../../../src/store/s3/client.ts";
import type { S3Config } from "../../../src/store/s3/config.ts";
import { openS3 } from "../../../src/store/s3/destination.ts";
import { uploadStream } from "../../../src/store/s3/stream.ts";
import { S3Upload } from "../../../src/store/s3/upload.ts";
import type { PartReceipt, Upload, UploadIntent } from "../../../src/store/store.ts";
import { type Behaviour, errorBody, type FakeServer, refusal, startFakeServer } from "./fake-server.ts";
import { MiB, md5, noise } from "./worker.ts";

const signal = AbortSignal.timeout(60_000);
const PLACE = { bucket: "images", key: "disk.raw" };
const KEYS = { accessKeyId: "AKID", secretAccessKey: "the-secret", pathStyle: true };
const AWS = { provider: "aws", region: "eu-west-1" } as const;

const A = md5(Buffer.from("a"));
const B = md5(Buffer.from("b"));
const WHOLE = `${md5(Buffer.from(A + B, "hex"))}-2`;
const CRC = "0123456789abcdef";
const CRC_BASE64 = Buffer.from(CRC, "hex").toString("base64");
const PARTS: readonly PartReceipt[] = [
  { number: 1, length: 6 * MiB, etag: A, checksums: {} },
  { number: 2, length: 100, etag: B, checksums: {} },
];
const SIZE = 6 * MiB + 100;

/** HEAD finds the object from the first attempt to complete it on, with the mark of its upload. */
function landed(headers: Readonly<Record<string, string>> = {}): Behaviour {
  return {
    Head: ({ path }, _, server) => {
      if (path !== "/images/disk.raw" || server.of("Complete").length === 0) return { status: 404 };
      const mark = String(server.of("Create")[0]?.headers["x-amz-meta-diskferry-upload"]);
      const usual = {
        etag: `"${WHOLE}"`,
        "content-length": String(SIZE),
        "x-amz-meta-diskferry-upload": mark,
      };
      return { headers: { ...usual, ...headers } };
    },
  };
}

interface Stage extends AsyncDisposable {
  readonly server: FakeServer;
  readonly upload: Upload;
}

/** An upload begun at a fake server. */
async function begun(
  behaviour: Behaviour,
  options: { readonly config?: Partial<S3Config>; readonly existing?: UploadIntent["existing"] } = {},
): Promise<Stage> {
  const server = await startFakeServer(behaviour);
  const config = { ...KEYS, endpoint: server.endpoint, ...options.config };
  const destination = await openS3(config, PLACE, signal);
  const upload = await destination.begin({ existing: options.existing ?? "refuse" }, signal);
  return {
    server,
    upload,
    async [Symbol.asyncDispose]() {
      await destination[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}

describe("What is sent to Amazon", () => {
  it("asks it to check whole-object CRC, size and absence when completing", async () => {
    const head = landed({ "x-amz-checksum-crc64nvme": CRC_BASE64, "x-amz-checksum-type": "FULL_OBJECT" });
    await using at = await begun(head, { config: AWS });
    const object = await at.upload.complete(PARTS, { crc64nvme: CRC }, signal);
    expect(object).toEqual({
      name: "s3://images/disk.raw",
      size: SIZE,
      etag: WHOLE,
      confirmed: { crc64nvme: CRC },
    });
    expect(at.server.of("Create")[0]?.headers).toMatchObject({
      "x-amz-checksum-algorithm": "CRC64NVME",
      "x-amz-checksum-type": "FULL_OBJECT",
    });
    const complete = at.server.of("Complete")[0];
    expect(complete?.headers).toMatchObject({
      "x-amz-checksum-crc64nvme": CRC_BASE64,
      "x-amz-checksum-type": "FULL_OBJECT",
      "x-amz-mp-object-size": String(SIZE),
      "if-none-match": "*",
    });
    expect(complete?.body.toString()).toContain(
      `<Part><ETag>&quot;${A}&quot;</ETag><PartNumber>1</PartNumber></Part>`,
    );
    expect(at.server.of("Head").at(-1)?.headers["x-amz-checksum-mode"]).toBe("ENABLED");
  });

  it("tells the CRC of zeros, which no worker has seen", async () => {
    const behaviour: Behaviour = {
      Put: () => ({ headers: { etag: '"x"' } }),
      UploadPartCopy: () => ({ body: `<CopyPartResult><ETag>"${A}"</ETag></CopyPartResult>` }),
    };
    await using at = await begun(behaviour, { config: AWS });
    const { checksums } = await at.upload.zeros({ number: 1, length: 6 * MiB, offset: 0 }, signal);
    expect(checksums).toEqual({ md5: A, crc64nvme: crc64Hex(crc64("crc64nvme", Buffer.alloc(6 * MiB))) });
  });

  it("does not ask for absence when the object may be replaced", async () => {
    await using at = await begun(landed(), { config: AWS, existing: "replace" });
    await at.upload.complete(PARTS, { crc64nvme: CRC }, signal);
    expect(at.server.of("Complete")[0]?.headers["if-none-match"]).toBeUndefined();
  });

  it("refuses an object whose CRC is another one", async () => {
    const head = landed({ "x-amz-checksum-crc64nvme": Buffer.alloc(8).toString("base64") });
    await using at = await begun(head, { config: AWS });
    await expect(at.upload.complete(PARTS, { crc64nvme: CRC }, signal)).rejects.toMatchObject({
      code: "VERIFY_FAILED",
    });
  });

  it("lets the lock decide where looking is not allowed", async () => {
    const denied: Behaviour = {
      Head: (seen, times, server) =>
        server.of("Complete").length === 0 ? { status: 403 } : (landed().Head?.(seen, times, server) ?? {}),
      Get: () => refusal(403, "AccessDenied"),
    };
    await using at = await begun(denied, { config: AWS });
    expect(await at.upload.complete(PARTS, {}, signal)).toMatchObject({ size: SIZE });
    await expect(begun(denied)).rejects.toMatchObject({ code: "PERMISSION" });
  });

  it("uses the bucket's own host, over TLS, and signs parts for an hour without further headers", async () => {
    const config = { accessKeyId: "AKID", secretAccessKey: "the-secret", region: "eu-west-1" };
    await using destination = await openS3(config, PLACE, signal);
    expect(destination.name).toBe("s3://images/disk.raw");
    expect(destination.limits.checksums).toEqual(["md5", "crc64nvme"]);
    // Signing needs no network.
    const access = await openAccess(config);
    const upload = new S3Upload(access, PLACE, { id: "u", mark: "m" }, { existing: "refuse" }, "new");
    const target = await upload.target({ number: 7 }, signal);
    const url = new URL(target.kind === "http" ? target.url : "");
    expect(url.origin).toBe("https://images.s3.eu-west-1.amazonaws.com");
    expect(url.searchParams.get("partNumber")).toBe("7");
    expect(url.searchParams.get("X-Amz-Expires")).toBe("3600");
    expect(url.searchParams.get("X-Amz-SignedHeaders")).toBe("host");
    expect([...url.searchParams.keys()].filter((name) => /checksum/i.test(name))).toEqual([]);
    expect(target).toMatchObject({ headers: {}, expect: { etag: "unless-encrypted" } });
  });
});

describe("What is sent to other servers", () => {
  it("has no checksum headers, no trailers and no waiting for a go-ahead", async () => {
    await using at = await begun(landed());
    await at.upload.complete(PARTS, {}, signal);
    await at.upload.zeros({ number: 3, length: 6 * MiB, offset: 0 }, signal).catch(() => {});
    for (const { operation, headers, query } of at.server.seen) {
      const names = [...Object.keys(headers), ...query.keys()].join(" ");
      expect(names, operation).not.toMatch(/checksum|trailer|expect|x-amz-decoded|mp-object-size/i);
      expect(String(headers["content-encoding"]), operation).not.toContain("aws-chunked");
    }
  });

  it("tries the condition, and does without it where the server does not know it", async () => {
    const behaviour: Behaviour = {
      ...landed(),
      Complete: ({ headers }) =>
        headers["if-none-match"] === undefined
          ? { body: "<CompleteMultipartUploadResult></CompleteMultipartUploadResult>" }
          : refusal(501, "NotImplemented"),
    };
    await using at = await begun(behaviour);
    expect(await at.upload.complete(PARTS, {}, signal)).toMatchObject({ size: SIZE });
    expect(at.server.of("Complete").length).toBe(2);
  });

  it("sends zeros where the server does not copy parts, and asks it once", async () => {
    const behaviour: Behaviour = {
      Put: () => ({ headers: { etag: '"x"' } }),
      UploadPartCopy: () => refusal(501, "NotImplemented"),
      UploadPart: ({ body }) => ({ headers: { etag: `"${md5(body)}"` } }),
    };
    await using at = await begun(behaviour);
    const first = await at.upload.zeros({ number: 1, length: 6 * MiB, offset: 0 }, signal);
    const second = await at.upload.zeros({ number: 2, length: 1000, offset: 6 * MiB }, signal);
    expect(first).toMatchObject({ number: 1, zero: true, etag: md5(Buffer.alloc(6 * MiB)) });
    expect(second.etag).toBe(md5(Buffer.alloc(1000)));
    expect(at.server.of("UploadPartCopy").length).toBe(1);
    expect(at.server.of("UploadPart").map(({ body }) => body.length)).toEqual([6 * MiB, 1000]);
    await at.upload.abort(signal);
  });

  it("copies a run of 5 GiB by a ladder of copies that sends 8 MiB once", async () => {
    const behaviour: Behaviour = {
      Put: () => ({ headers: { etag: '"x"' } }),
      UploadPartCopy: () => ({ body: `<CopyPartResult><ETag>"${A}"</ETag></CopyPartResult>` }),
      Head: ({ path }) => (path.includes("zeros") ? { headers: { "content-length": "1" } } : { status: 404 }),
    };
    await using at = await begun(behaviour);
    const run = 5 * 1024 * MiB;
    const runs = [1, 2, 3].map((number) => at.upload.zeros({ number, length: run, offset: 0 }, signal));
    await Promise.all(runs);
    expect(at.server.of("Put").map(({ body }) => body.length)).toEqual([8 * MiB]);
    const copies = at.server.of("UploadPartCopy");
    const onto = copies.filter(({ path }) => path === "/images/disk.raw");
    expect(onto.map(({ headers }) => headers["x-amz-copy-source-range"])).toEqual(
      Array(3).fill(`bytes=0-${run - 1}`),
    );
    // Every rung is as long as its copies together.
    const made = new Map<string, number>([[at.server.of("Put")[0]?.path.slice(1) ?? "", 8 * MiB]]);
    for (const { path, headers } of copies.filter((copy) => !onto.includes(copy))) {
      const source = made.get(String(headers["x-amz-copy-source"])) ?? 0;
      const length = 1 + Number(/-(\d+)$/.exec(String(headers["x-amz-copy-source-range"]))?.[1]);
      expect(length).toBeGreaterThanOrEqual(5 * MiB);
      expect(length).toBeLessThanOrEqual(source);
      made.set(path.slice(1), (made.get(path.slice(1)) ?? 0) + length);
    }
    expect([...made.values()].at(-1)).toBe(run);
    expect(at.server.seen.length).toBeLessThan(45);
    await at.upload.abort(signal);
    expect(
      at.server
        .of("Delete")
        .map(({ path }) => path.slice(1))
        .sort(),
    ).toEqual([...made.keys()].sort());
  });
});

describe("The limits", () => {
  it.each([
    [
      { parts: 1000, entries: 1200, part: 5 * MiB, file: 2 ** 40 },
      { maxParts: 1000, minPart: 5 * MiB },
    ],
    [
      { parts: 20_000, entries: 900, part: 1, file: 10 ** 9 },
      { maxParts: 900, minPart: 5 * MiB, maxPart: 10 ** 9 },
    ],
    [
      { parts: 20_000, entries: 20_000, part: 8 * MiB, file: 2 ** 40 },
      { maxParts: 10_000, minPart: 8 * MiB },
    ],
  ])("are the narrower of Amazon's and of what a Swift tells: %j", async (told, limits) => {
    const info = {
      s3api: { max_upload_part_num: told.parts, min_segment_size: told.part },
      slo: { max_manifest_segments: told.entries },
      swift: { max_file_size: told.file },
    };
    const Get = ({ path }: { path: string }) =>
      path === "/info" ? { body: JSON.stringify(info) } : { status: 404 };
    await using server = await startFakeServer({ Get });
    await using destination = await openS3({ ...KEYS, endpoint: server.endpoint }, PLACE, signal);
    expect(destination.limits).toMatchObject({ maxPart: 5 * 1024 * MiB, ...limits });
  });

  it.each(["", "<html>", "[]", '{"swift": {}}'])("are Amazon's when the page says %j", async (body) => {
    await using server = await startFakeServer({ Get: () => ({ body }) });
    await using destination = await openS3({ ...KEYS, endpoint: server.endpoint }, PLACE, signal);
    expect(destination.limits).toMatchObject({ maxParts: 10_000, minPart: 5 * MiB, maxPart: 5 * 1024 * MiB });
  });
});

describe("A reply to completing", () => {
  const OK = { body: "<CompleteMultipartUploadResult></CompleteMultipartUploadResult>" };

  it("that says 200 and then an error is an error, tried again when it is passing", async () => {
    const behaviour: Behaviour = {
      ...landed(),
      Complete: (_, times) => (times === 1 ? { status: 200, body: errorBody("InternalError") } : OK),
    };
    await using at = await begun(behaviour);
    expect(await at.upload.complete(PARTS, {}, signal)).toMatchObject({ size: SIZE, etag: WHOLE });
    expect(at.server.of("Complete").length).toBe(2);
  });

  it("that says 200 and then a lasting error is not tried again", async () => {
    await using at = await begun({ Complete: () => ({ body: errorBody("AccessDenied") }) });
    await expect(at.upload.complete(PARTS, {}, signal)).rejects.toMatchObject({ code: "PERMISSION" });
    expect(at.server.of("Complete").length).toBe(1);
  });

  it("that asks to slow down is tried again when it says", async () => {
    const behaviour: Behaviour = {
      ...landed(),
      Complete: (_, times) =>
        times < 3 ? { ...refusal(503, "SlowDown"), headers: { "retry-after": "0" } } : OK,
    };
    await using at = await begun(behaviour);
    await at.upload.complete(PARTS, {}, signal);
    expect(at.server.of("Complete").length).toBe(3);
  });

  it.each([
    [409, "ConditionalRequestConflict", "STORE_REFUSED", /start it again/],
    [412, "PreconditionFailed", "ALREADY_EXISTS", /there already/],
    [400, "EntityTooSmall", "LIMIT_EXCEEDED", /--segment-size/],
    [400, "InvalidPart", "VERIFY_FAILED", /start the upload again/],
    [403, "QuotaExceeded", "NO_SPACE", /quota/],
    [403, "RequestTimeTooSkewed", "STORE_REFUSED", /clock/],
    [404, "NoSuchUpload", "NOT_FOUND", /start it again/],
    [507, "Whatever", "NO_SPACE", /507/],
  ] as const)("of %i %s becomes a clear fault", async (status, code, fault, message) => {
    await using at = await begun({ Complete: () => refusal(status, code) });
    await expect(at.upload.complete(PARTS, {}, signal)).rejects.toMatchObject({
      code: fault,
      message: expect.stringMatching(message),
    });
    expect(at.server.of("Complete").length).toBe(1);
  });

  it.each([
    [412, "PreconditionFailed"],
    [404, "NoSuchUpload"],
  ] as const)("of %i %s is good news when this upload made the object already", async (status, code) => {
    await using at = await begun({ ...landed(), Complete: () => refusal(status, code) });
    expect(await at.upload.complete(PARTS, {}, signal)).toMatchObject({ size: SIZE });
  });
});

describe("A completed object", () => {
  it("whose ETag is not that of its parts is refused", async () => {
    await using at = await begun(landed({ etag: `"${"0".repeat(32)}-2"` }));
    await expect(at.upload.complete(PARTS, {}, signal)).rejects.toMatchObject({ code: "VERIFY_FAILED" });
  });

  it("may have any ETag when it is encrypted with a key of KMS", async () => {
    const headers = { etag: `"${"0".repeat(32)}-2"`, "x-amz-server-side-encryption": "aws:kms" };
    await using at = await begun(landed(headers));
    expect(await at.upload.complete(PARTS, {}, signal)).toMatchObject({ size: SIZE });
  });

  it("whose size is not that of its parts is refused, and removed when the upload is aborted", async () => {
    await using at = await begun(landed({ "content-length": "17" }));
    await expect(at.upload.complete(PARTS, {}, signal)).rejects.toMatchObject({
      code: "VERIFY_FAILED",
      message: expect.stringMatching(/size of 17, but 6291556/),
    });
    await at.upload.abort(signal);
    expect(at.server.of("Delete").map(({ path }) => path)).toEqual(["/images/disk.raw"]);
  });

  it("stays when the upload is aborted after all", async () => {
    await using at = await begun(landed());
    await at.upload.complete(PARTS, {}, signal);
    await at.upload.abort(signal);
    expect(at.server.of("Delete")).toEqual([]);
  });
});

describe("An S3 upload", () => {
  it("lists all pages of its parts", async () => {
    const page = (from: number, more: boolean) => `<ListPartsResult>
      <IsTruncated>${more}</IsTruncated><NextPartNumberMarker>${from + 1}</NextPartNumberMarker>
      <Part><PartNumber>${from}</PartNumber><Size>5</Size><ETag>"${A}"</ETag></Part>
      <Part><PartNumber>${from + 1}</PartNumber><Size>6</Size><ETag>${B}</ETag></Part></ListPartsResult>`;
    const behaviour: Behaviour = {
      ListParts: ({ query }) =>
        query.get("part-number-marker") === "2" ? { body: page(3, false) } : { body: page(1, true) },
    };
    await using at = await begun(behaviour);
    const held = await Array.fromAsync(at.upload.held(signal));
    expect(held.map(({ number }) => number)).toEqual([1, 2, 3, 4]);
    expect(held[3]).toEqual({ number: 4, length: 6, etag: B });
  });

  it("is removed again and again until the store has forgotten it", async () => {
    const behaviour: Behaviour = {
      ListParts: (_, times) => (times < 3 ? { body: "<ListPartsResult/>" } : refusal(404, "NoSuchUpload")),
    };
    await using at = await begun(behaviour);
    await at.upload.abort(signal);
    expect(at.server.of("Abort").length).toBe(3);
  });

  it("says that a session token has expired and where a new one goes", async () => {
    const server = await startFakeServer({ Create: () => refusal(400, "ExpiredToken") });
    await using _ = server;
    const config = { ...KEYS, sessionToken: "old", endpoint: server.endpoint };
    await using destination = await openS3(config, PLACE, signal);
    await expect(destination.begin({ existing: "replace" }, signal)).rejects.toMatchObject({
      code: "CREDENTIALS",
      message: expect.stringContaining("AWS_SESSION_TOKEN"),
    });
    expect(server.of("Create").length).toBe(1);
  });

  it("that was aborted while it began leaves nothing", async () => {
    const abort = new AbortController();
    const behaviour: Behaviour = {
      Create: () => {
        abort.abort();
        return {
          body: "<InitiateMultipartUploadResult><UploadId>late</UploadId></InitiateMultipartUploadResult>",
        };
      },
    };
    await using server = await startFakeServer(behaviour);
    await using destination = await openS3({ ...KEYS, endpoint: server.endpoint }, PLACE, signal);
    await expect(destination.begin({ existing: "replace" }, abort.signal)).rejects.toThrow();
    expect(server.of("Abort").map(({ query }) => query.get("uploadId"))).toEqual(["late"]);
  });

  it("shows no secret in its names, token and faults", async () => {
    await using at = await begun({ Complete: () => refusal(403, "AccessDenied") });
    const target = await at.upload.target({ number: 1 }, signal);
    const failure = await at.upload.complete(PARTS, {}, signal).catch((error: Error) => error);
    const shown = JSON.stringify([at.upload.token, target.name, String(failure)]);
    expect(shown).not.toMatch(/the-secret|Signature|AKID/);
  });
});

describe("A stream", () => {
  it("is sent again part by part when the store has other bytes, and whole with its CRC", async () => {
    const bytes = noise(11 * MiB, 4);
    const behaviour: Behaviour = {
      UploadPart: ({ body }, times) => ({ headers: { etag: `"${times === 1 ? A : md5(body)}"` } }),
      Head: async (seen, times, server) => {
        const answer = (await landed().Head?.(seen, times, server)) ?? {};
        return {
          ...answer,
          headers: { ...answer.headers, etag: '"opaque"', "content-length": String(bytes.length) },
        };
      },
    };
    await using server = await startFakeServer(behaviour);
    async function* stream() {
      yield bytes;
    }
    const options = { existing: "refuse", partSize: 5 * MiB, concurrency: 1 } as const;
    const config = { ...KEYS, ...AWS, endpoint: server.endpoint };
    const object = await uploadStream(config, PLACE, stream(), options, signal);
    expect(object.size).toBe(bytes.length);
    const parts = server.of("UploadPart");
    expect(parts.map(({ query }) => query.get("partNumber"))).toEqual(["1", "1", "2", "3"]);
    expect(Buffer.concat(parts.slice(1).map(({ body }) => body)).equals(bytes)).toBe(true);
    expect(server.of("Complete")[0]?.headers["x-amz-checksum-crc64nvme"]).toMatch(/^[A-Za-z0-9+/]{11}=$/);
  });

  it("that stands still does not hold up the news of a refused part", async () => {
    const behaviour: Behaviour = { UploadPart: () => refusal(403, "AccessDenied") };
    await using server = await startFakeServer(behaviour);
    async function* stream() {
      yield noise(6 * MiB, 4);
      await new Promise(() => {});
    }
    const options = { existing: "refuse", partSize: 5 * MiB } as const;
    const config = { ...KEYS, endpoint: server.endpoint };
    await expect(uploadStream(config, PLACE, stream(), options, signal)).rejects.toMatchObject({
      code: "PERMISSION",
    });
    expect(server.of("Abort").length).toBe(1);
  });

  it("has at most a bounded number of parts under way and in memory", async () => {
    const under = { now: 0, most: 0, read: 0, acknowledged: 0, ahead: 0 };
    const behaviour: Behaviour = {
      UploadPart: ({ body }) => {
        under.acknowledged += body.length;
        return { headers: { etag: `"${md5(body)}"` } };
      },
      Head: async (seen, times, server) => {
        const answer = (await landed().Head?.(seen, times, server)) ?? {};
        return {
          ...answer,
          headers: { ...answer.headers, etag: '"opaque"', "content-length": String(60 * MiB) },
        };
      },
    };
    await using server = await startFakeServer(behaviour);
    async function* stream() {
      for (let i = 0; i < 60; i += 1) {
        under.read += MiB;
        under.ahead = Math.max(under.ahead, under.read - under.acknowledged);
        yield Buffer.alloc(MiB, i);
      }
    }
    const options = { existing: "refuse", partSize: 5 * MiB, concurrency: 2 } as const;
    await uploadStream({ ...KEYS, endpoint: server.endpoint }, PLACE, stream(), options, signal);
    expect(under.ahead).toBeLessThanOrEqual(3 * 6 * MiB + 2 * MiB);
  });
});
