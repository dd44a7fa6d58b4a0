import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { S3Config, s3ConfigFromEnvironment } from "../../../src/store/s3/config.ts";
import { providerOf } from "../../../src/store/s3/provider.ts";

describe("The environment of the AWS tools", () => {
  it("gives keys, region and endpoint", () => {
    expect(
      s3ConfigFromEnvironment({
        AWS_ACCESS_KEY_ID: "id",
        AWS_SECRET_ACCESS_KEY: "secret",
        AWS_SESSION_TOKEN: "token",
        AWS_DEFAULT_REGION: "eu-central-1",
        AWS_ENDPOINT_URL: "https://everything.example",
        AWS_ENDPOINT_URL_S3: "https://s3.example:9000",
      }),
    ).toEqual({
      accessKeyId: "id",
      secretAccessKey: "secret",
      sessionToken: "token",
      region: "eu-central-1",
      endpoint: "https://s3.example:9000",
    });
  });

  it("may leave the keys to a profile, and then no stray token counts", () => {
    const env = { AWS_PROFILE: "work", AWS_SESSION_TOKEN: "stray", AWS_REGION: "r", AWS_ENDPOINT_URL: "" };
    expect(s3ConfigFromEnvironment(env)).toEqual({ profile: "work", region: "r" });
  });

  it.each([
    ["AWS_ACCESS_KEY_ID", { AWS_SECRET_ACCESS_KEY: "secret" }],
    ["AWS_SECRET_ACCESS_KEY", { AWS_ACCESS_KEY_ID: "id" }],
  ])("is refused without %s, by its name", (missing, env) => {
    expect(() => s3ConfigFromEnvironment(env)).toThrow(
      expect.objectContaining({
        code: "CREDENTIALS",
        message: expect.stringContaining(`${missing} is not set`),
      }),
    );
  });

  it("is refused with an endpoint that is no URL", () => {
    expect(() => s3ConfigFromEnvironment({ AWS_ENDPOINT_URL: "ftp://x" })).toThrow(
      expect.objectContaining({ code: "USAGE" }),
    );
  });

  it("names a file of authorities, which is read", () => {
    const directory = mkdtempSync(join(tmpdir(), "diskferry-test-"));
    try {
      const path = join(directory, "ca.pem");
      writeFileSync(path, "PEM");
      expect(s3ConfigFromEnvironment({ AWS_CA_BUNDLE: path })).toEqual({ ca: "PEM" });
      expect(() => s3ConfigFromEnvironment({ AWS_CA_BUNDLE: join(directory, "none") })).toThrow(
        expect.objectContaining({ code: "NOT_FOUND", message: expect.stringContaining("AWS_CA_BUNDLE") }),
      );
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});

describe("The provider", () => {
  it.each([
    [{}, "aws", false],
    [{ endpoint: "https://s3.eu-west-1.amazonaws.com" }, "aws", false],
    [{ endpoint: "https://s3.cn-north-1.amazonaws.com.cn" }, "aws", false],
    [{ endpoint: "https://amazonaws.com.example" }, "compatible", true],
    [{ endpoint: "http://127.0.0.1:9000" }, "compatible", true],
    [{ endpoint: "https://s3.oss-cn-beijing.aliyuncs.com", pathStyle: false }, "compatible", false],
    [{ endpoint: "https://private.example", provider: "aws" as const }, "aws", false],
  ])("of %j is %s", (config, name, pathStyle) => {
    expect(providerOf(S3Config.parse(config))).toMatchObject({ name, pathStyle });
  });

  it("takes no half of a key pair", () => {
    expect(S3Config.safeParse({ accessKeyId: "id" }).success).toBe(false);
  });
});
