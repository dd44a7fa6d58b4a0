import { describe, expect, it } from "vitest";
import { swiftConfigFromEnvironment } from "../../../src/store/swift/config.ts";

const V3 = {
  OS_AUTH_URL: "https://id.example:5000/v3",
  OS_USERNAME: "u",
  OS_PASSWORD: "p",
  OS_PROJECT_NAME: "j",
};

describe("the environment of Swift's clients", () => {
  it("yields version 1 from ST_*", () => {
    const env = { ST_AUTH: "http://a.example/auth/v1.0", ST_USER: "acct:me", ST_KEY: "k" };
    expect(swiftConfigFromEnvironment(env)).toEqual({
      login: { kind: "v1", authUrl: env.ST_AUTH, user: "acct:me", key: "k" },
      interface: "public",
    });
  });

  it("yields a v3 password with names, domains, region, interface and authorities", () => {
    const config = swiftConfigFromEnvironment({
      ...V3,
      OS_USER_DOMAIN_NAME: "Users",
      OS_PROJECT_DOMAIN_ID: "d1",
      OS_REGION_NAME: "r1",
      OS_ENDPOINT_TYPE: "internalURL",
      OS_CACERT: "/etc/ca.pem",
    });
    expect(config).toMatchObject({
      login: {
        kind: "v3-password",
        user: { name: "u", domain: { name: "Users" } },
        project: { name: "j", domain: { id: "d1" } },
      },
      region: "r1",
      interface: "internal",
      caFile: "/etc/ca.pem",
    });
  });

  it("prefers ids to names, and takes the default domain where none is named", () => {
    expect(swiftConfigFromEnvironment({ ...V3, OS_PROJECT_ID: "pid" }).login).toMatchObject({
      user: { name: "u", domain: { id: "default" } },
      project: { id: "pid" },
    });
    const { OS_USERNAME: _, ...byId } = { ...V3, OS_USER_ID: "uid" };
    expect(swiftConfigFromEnvironment(byId).login).toMatchObject({ user: { id: "uid" } });
  });

  it("yields an application credential, or a token with its storage URL", () => {
    expect(
      swiftConfigFromEnvironment({
        OS_AUTH_URL: V3.OS_AUTH_URL,
        OS_APPLICATION_CREDENTIAL_ID: "i",
        OS_APPLICATION_CREDENTIAL_SECRET: "s",
      }).login,
    ).toMatchObject({ kind: "v3-application-credential", id: "i", secret: "s" });
    expect(
      swiftConfigFromEnvironment({ OS_AUTH_TOKEN: "t", OS_STORAGE_URL: "http://s.example/v1/A" }),
    ).toMatchObject({ login: { kind: "token", token: "t" }, storageUrl: "http://s.example/v1/A" });
  });

  it.each([
    [{}, /no credentials in the environment: set ST_AUTH, ST_USER and ST_KEY; or OS_AUTH_URL/],
    [{ ST_AUTH: "http://a.example", ST_KEY: "" }, /lacks ST_USER, ST_KEY: set them/],
    [{ ...V3, OS_PASSWORD: undefined }, /lacks OS_PASSWORD: set it/],
    [{ ...V3, OS_PROJECT_NAME: undefined, OS_USERNAME: "" }, /lacks OS_USERNAME, OS_PROJECT_NAME/],
    [{ OS_AUTH_TOKEN: "secret-token" }, /lacks OS_STORAGE_URL/],
    [
      { OS_AUTH_URL: V3.OS_AUTH_URL, OS_APPLICATION_CREDENTIAL_ID: "i" },
      /lacks OS_APPLICATION_CREDENTIAL_SECRET/,
    ],
    [{ ...V3, OS_IDENTITY_API_VERSION: "2.0" }, /OS_IDENTITY_API_VERSION is 2.0; only 3/],
    [{ ...V3, OS_AUTH_URL: "id.example:5000" }, /wrong login\.authUrl/],
    [{ ...V3, OS_INTERFACE: "sideways" }, /wrong interface/],
  ])(
    "is refused with a line that says what is missing: %j",
    (env: Record<string, string | undefined>, message) => {
      expect(() => swiftConfigFromEnvironment(env)).toThrow(
        expect.objectContaining({ code: "CREDENTIALS", message: expect.stringMatching(message) }),
      );
    },
  );
});
