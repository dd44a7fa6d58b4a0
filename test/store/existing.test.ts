/** FJ-7: what a container holds under some names already, at each kind of store. */
import AliOss from "ali-oss";
import { describe, expect, it } from "vitest";
import { existingInOss } from "../../src/store/oss/existing.ts";
import { existingInS3 } from "../../src/store/s3/existing.ts";
import { existingInSwift } from "../../src/store/swift/existing.ts";
import { startStrictOss, TEST_ACCOUNT } from "../support/oss/server.ts";
import { SWIFT, SWIFT_REASON, type SwiftServer, startSwift } from "../support/swift.ts";

const signal = AbortSignal.timeout(120_000);

describe("objects that are there already", () => {
  it("are found in OSS", async () => {
    await using server = await startStrictOss();
    const { endpoint } = server;
    const { accessKeyId, accessKeySecret } = TEST_ACCOUNT;
    const keys = { accessKeyId, accessKeySecret, endpoint };
    const client = new AliOss({ ...keys, region: "oss-cn-hangzhou", bucket: "images" });
    await client.put("dir/ü.raw", Buffer.from("x"));
    const config = { ...keys, region: "cn-hangzhou", addressing: "virtual-host" } as const;
    expect(await existingInOss(config, "images", ["new", "dir/ü.raw", "dir"], signal)).toEqual(["dir/ü.raw"]);
    await expect(existingInOss(config, "missing", ["new"], signal)).rejects.toMatchObject({
      code: "NOT_FOUND",
    });
  });

  describe.skipIf(!SWIFT)(`at OpenStack Swift${SWIFT_REASON}`, () => {
    /** PUTs under the account; a path without a slash is a container. */
    async function put({ storageUrl, authUrl, user, key }: SwiftServer, ...paths: string[]): Promise<void> {
      const headers = { "x-auth-user": user, "x-auth-key": key };
      const token = (await fetch(authUrl, { headers })).headers.get("x-auth-token") ?? "";
      for (const path of paths) {
        const made = await fetch(`${storageUrl}/${path}`, {
          method: "PUT",
          headers: { "x-auth-token": token },
        });
        expect(made.ok).toBe(true);
      }
    }

    it("are found in Swift, and those of which only segments are there", async () => {
      const swift = await startSwift();
      try {
        await put(swift, "images", "images/whole", "images_segments", "images_segments/parts/1/0001");
        const { authUrl, user, key } = swift;
        const config = { login: { kind: "v1", authUrl, user, key }, interface: "public" } as const;
        const asked = ["new", "whole", "parts", "part"];
        expect(await existingInSwift(config, "images", asked, signal)).toEqual(["whole", "parts"]);
        const elsewhere = { ...config, segmentContainer: "none" };
        expect(await existingInSwift(elsewhere, "images", asked, signal)).toEqual(["whole"]);
        await expect(existingInSwift(config, "missing", asked, signal)).rejects.toMatchObject({
          code: "NOT_FOUND",
        });

        const { endpoint, accessKey, secretKey } = swift.s3;
        const s3 = { endpoint, accessKeyId: accessKey, secretAccessKey: secretKey };
        expect(await existingInS3(s3, "images", asked, signal)).toEqual(["whole"]);
        await expect(existingInS3(s3, "missing", asked, signal)).rejects.toMatchObject({ code: "NOT_FOUND" });
      } finally {
        await swift.stop();
      }
    });
  });
});
