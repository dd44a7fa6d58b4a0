import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { MiB } from "../../../src/bytes/units.ts";
import type { PartReceipt } from "../../../src/store/store.ts";
import { openSwift } from "../../../src/store/swift/destination.ts";
import { configFor, listing, md5, noise, putOnce, raw, send, signal } from "../../support/swift/drive.ts";
import { SWIFT, SWIFT_REASON, type SwiftServer, startSwift } from "../../support/swift.ts";

describe.skipIf(!SWIFT)(`a Swift with narrow limits${SWIFT_REASON}`, () => {
  let server: SwiftServer;
  beforeAll(async () => {
    server = await startSwift({
      maxManifestSegments: 4,
      maxFileSize: 6 * MiB,
      settings: { "filter:slo": { rate_limit_after_segment: 100 } },
    });
  });
  afterAll(async () => {
    await server?.stop();
  });

  const open = (object: string, container = "images") =>
    openSwift(configFor(server), { container, object }, signal);

  it("tells its limits as the server's", async () => {
    expect((await open("x")).limits).toMatchObject({
      maxPart: 6 * MiB,
      preferredPart: 6 * MiB,
      maxParts: 16,
      zeros: "free",
      placement: "parts",
      checksums: ["md5"],
    });
  });

  it("nests manifests where one cannot hold all parts, three levels deep", async () => {
    const upload = await (await open("nested")).begin({ existing: "refuse" }, signal);
    const parts: PartReceipt[] = [];
    const bytes: Uint8Array[] = [];
    for (let number = 1; number <= 37; number += 1) {
      bytes.push(noise(100 + number, number));
      parts.push(await send(upload, number, bytes[number - 1] as Uint8Array));
    }
    const landed = await upload.complete(parts, {}, signal);
    const whole = Buffer.concat(bytes);
    expect(landed.size).toBe(whole.length);
    const got = await raw(server, "GET", "/images/nested");
    expect(md5(got.bytes)).toBe(md5(whole));
    const manifests = await listing(server, "images_segments", `nested/${upload.token["id"]}/manifest/`);
    // 37 entries: 10 manifests of 4, 3 of those, and the object.
    expect(manifests.length).toBe(13);
    await upload.abort(signal);
    expect(await listing(server, "images_segments", "nested/")).toEqual([]);
  });

  it("nests references to zeros as it nests parts", async () => {
    const upload = await (await open("wide")).begin({ existing: "refuse" }, signal);
    const zeros = await upload.zeros({ number: 1, length: 11 * MiB, offset: 0 }, signal);
    await upload.complete([zeros], {}, signal);
    expect(md5((await raw(server, "GET", "/images/wide")).bytes)).toBe(md5(new Uint8Array(11 * MiB)));
    const held = await listing(server, "images_segments", `wide/${upload.token["id"]}/zero/`);
    expect(held.map(({ bytes }) => bytes)).toEqual([MiB]);
  });

  it("says that a quota is full, where and what to do", async () => {
    const destination = await open("big", "narrow");
    const upload = await destination.begin({ existing: "refuse" }, signal);
    await raw(server, "POST", "/narrow_segments", { headers: { "x-container-meta-quota-bytes": "1000" } });
    expect((await putOnce(upload, 1, noise(2000, 1))).status).toBe(413);
    const zeros = await upload.zeros({ number: 2, length: 2 * MiB, offset: 0 }, signal);
    await expect(upload.complete([zeros], {}, signal)).rejects.toMatchObject({
      code: "NO_SPACE",
      message: expect.stringMatching(/swift:\/\/narrow\/big.*413.*quota.*free space/),
      details: { status: 413 },
    });
  });
});

describe.skipIf(!SWIFT)(`a Swift that limits its callers' rate${SWIFT_REASON}`, () => {
  it("is asked again, more slowly", async () => {
    const server = await startSwift({
      settings: {
        "filter:ratelimit": { account_ratelimit: 4, max_sleep_time_seconds: 0.1, rate_buffer_seconds: 0 },
      },
    });
    try {
      // Making a container is what counts against the account's rate.
      const opened = ["a", "b", "c", "d"].map(async (container) => {
        const destination = await openSwift(configFor(server), { container, object: "o" }, signal);
        return await destination.begin({ existing: "refuse" }, signal);
      });
      expect((await Promise.all(opened)).length).toBe(4);
      expect(server.log()).toMatch(/ 498 /);
    } finally {
      await server.stop();
    }
  });
});
