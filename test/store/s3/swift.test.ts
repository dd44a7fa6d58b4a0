import { describe, expect, it } from "vitest";
import { openS3 } from "../../../src/store/s3/destination.ts";
import { SWIFT, SWIFT_REASON, startSwift } from "../../support/swift.ts";
import { behavesAsS3 } from "./real-server.ts";

const SETTINGS = {
  "filter:s3api": { max_upload_part_num: 1000 },
  "filter:slo": { max_manifest_segments: 900 },
};

behavesAsS3(`S3 at OpenStack Swift${SWIFT_REASON}`, SWIFT, async () => {
  const swift = await startSwift();
  return { ...swift.s3, stop: swift.stop };
});

describe.skipIf(!SWIFT)(`The limits of OpenStack Swift${SWIFT_REASON}`, () => {
  it("are asked of the server, and a part beyond them is refused with what to do", async () => {
    const signal = AbortSignal.timeout(60_000);
    const swift = await startSwift({ settings: SETTINGS, maxFileSize: 1_000_000_000 });
    try {
      const { endpoint, accessKey, secretKey } = swift.s3;
      const config = { endpoint, accessKeyId: accessKey, secretAccessKey: secretKey };
      const made = await fetch(`${swift.storageUrl}/images`, { method: "PUT", headers: await token(swift) });
      expect(made.ok).toBe(true);
      await using destination = await openS3(config, { bucket: "images", key: "k" }, signal);
      expect(destination.limits).toMatchObject({ maxParts: 900, maxPart: 1_000_000_000, minPart: 5_242_880 });
      const upload = await destination.begin({ existing: "refuse" }, signal);
      await expect(
        upload.zeros({ number: 1001, length: 5_242_880, offset: 0 }, signal),
      ).rejects.toMatchObject({
        code: "LIMIT_EXCEEDED",
        message: expect.stringContaining("--segment-size"),
      });
      await upload.abort(signal);
    } finally {
      await swift.stop();
    }
  });
});

async function token(swift: { authUrl: string; user: string; key: string }): Promise<Record<string, string>> {
  const reply = await fetch(swift.authUrl, {
    headers: { "x-auth-user": swift.user, "x-auth-key": swift.key },
  });
  return { "x-auth-token": reply.headers.get("x-auth-token") ?? "" };
}
