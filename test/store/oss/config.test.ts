import { describe, expect, test } from "vitest";
import {
  addressOf,
  checkKey,
  ossConfigFromEnvironment,
  ossConfigSchema,
} from "../../../src/store/oss/config.ts";

const ENV = { OSS_ACCESS_KEY_ID: "id", OSS_ACCESS_KEY_SECRET: "secret", OSS_REGION: "oss-cn-hangzhou" };

describe("the OSS environment", () => {
  test("gives region, keys, endpoint and token under either name", () => {
    expect(ossConfigFromEnvironment({ ...ENV, OSS_SECURITY_TOKEN: "t", OSS_ENDPOINT: "" })).toEqual({
      region: "cn-hangzhou",
      accessKeyId: "id",
      accessKeySecret: "secret",
      securityToken: "t",
      addressing: "virtual-host",
    });
    const both = { ...ENV, OSS_SECURITY_TOKEN: "t", OSS_SESSION_TOKEN: "s", OSS_ENDPOINT: "http://h" };
    expect(ossConfigFromEnvironment(both)).toMatchObject({ securityToken: "s", endpoint: "http://h" });
  });

  test.each(["OSS_ACCESS_KEY_ID", "OSS_ACCESS_KEY_SECRET", "OSS_REGION"])(
    "names %s when it is missing",
    (name) => {
      expect(() => ossConfigFromEnvironment({ ...ENV, [name]: "" })).toThrowError(name);
    },
  );

  test("names all that is missing at once, and the configuration file", () => {
    expect(() => ossConfigFromEnvironment({})).toThrowError(
      expect.objectContaining({
        code: "CREDENTIALS",
        message:
          "OSS: OSS_REGION, OSS_ACCESS_KEY_ID and OSS_ACCESS_KEY_SECRET are not set; set them, or stores.oss in the configuration file",
      }),
    );
  });

  test("names the variable, not the value, of what it cannot read", () => {
    expect(() => ossConfigFromEnvironment({ ...ENV, OSS_REGION: "C N" })).toThrowError(
      /^OSS_REGION: (?!.*C N)/,
    );
  });
});

describe("a bucket's address", () => {
  const config = ossConfigSchema.parse({ region: "cn-hangzhou", accessKeyId: "i", accessKeySecret: "s" });

  test.each([
    [{}, { base: "https://images.oss-cn-hangzhou.aliyuncs.com/" }],
    [
      { endpoint: "oss-cn-hangzhou-internal.aliyuncs.com" },
      { base: "https://images.oss-cn-hangzhou-internal.aliyuncs.com/" },
    ],
    [
      { endpoint: "http://127.0.0.1:8000" },
      { base: "http://127.0.0.1:8000/", host: "images.oss-cn-hangzhou.aliyuncs.com" },
    ],
    [
      { endpoint: "http://[::1]:8000" },
      { base: "http://[::1]:8000/", host: "images.oss-cn-hangzhou.aliyuncs.com" },
    ],
    [{ endpoint: "http://gate:80/", addressing: "path" as const }, { base: "http://gate/images/" }],
    [
      { endpoint: "images.example.org", addressing: "endpoint-is-bucket" as const },
      { base: "https://images.example.org/" },
    ],
  ])("with %o is %o", (more, expected) => {
    expect(addressOf({ ...config, ...more }, "images")).toEqual(expected);
  });

  test.each(["ftp://h", "http://h/path", "http://user@h", "http://", "a b"])(
    "is refused for the endpoint %s",
    (endpoint) => {
      expect(() => addressOf({ ...config, endpoint }, "images")).toThrowError(/endpoint/);
    },
  );

  test.each(["ab", "Images", "a.b.c", "-abc", "abc-", "a/b/c", "a".repeat(64)])(
    "is refused for the bucket %s",
    (bucket) => {
      expect(() => addressOf(config, bucket)).toThrowError(/bucket's name/);
    },
  );
});

test.each(["", "/a", "\\a", "a/../b", "./a", "a/.", "é".repeat(512), "\ud800", "a\nb"])(
  "the key %j is refused",
  (key) => {
    expect(() => checkKey({ bucket: "images", key })).toThrowError(/the object's name/);
  },
);
