import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { SwiftAuth } from "../../../src/store/swift/auth.ts";
import { swiftConfigFromEnvironment } from "../../../src/store/swift/config.ts";
import { openSwift } from "../../../src/store/swift/destination.ts";
import { KEYSTONE, KEYSTONE_REASON, type KeystoneServer, startKeystone } from "../../support/keystone.ts";
import { noise, send, signal } from "../../support/swift/drive.ts";
import { type Meddler, startMeddler } from "../../support/swift/meddler.ts";
import { SWIFT, SWIFT_REASON, type SwiftServer, startSwift } from "../../support/swift.ts";

describe.skipIf(!SWIFT || !KEYSTONE)(`Keystone v3${SWIFT_REASON}${KEYSTONE_REASON}`, () => {
  let keystone: KeystoneServer;
  let server: SwiftServer;
  let watched: Meddler;
  beforeAll(async () => {
    keystone = await startKeystone();
    server = await startSwift({
      keystone: keystone.authUrl,
      // A token that Keystone has revoked is refused at once.
      settings: { "filter:authtoken": { token_cache_time: -1 } },
    });
    await keystone.registerSwift(server.url);
    watched = await startMeddler(new URL(keystone.authUrl).origin, () => "pass");
  });
  afterAll(async () => {
    await watched?.stop();
    await server?.stop();
    await keystone?.stop();
  });

  const location = { container: "images", object: "o" };
  const password = (more: Record<string, string> = {}) =>
    swiftConfigFromEnvironment({
      OS_AUTH_URL: keystone.authUrl,
      OS_USERNAME: keystone.username,
      OS_PASSWORD: keystone.password,
      OS_PROJECT_NAME: keystone.project,
      OS_USER_DOMAIN_NAME: keystone.domain,
      OS_PROJECT_DOMAIN_NAME: keystone.domain,
      OS_REGION_NAME: keystone.region,
      OS_IDENTITY_API_VERSION: "3",
      ...more,
    });

  it("lets a password in, and renews a token once when it is refused in mid upload", async () => {
    const destination = await openSwift(password({ OS_AUTH_URL: watched.url }), location, signal);
    const upload = await destination.begin({ existing: "refuse" }, signal);
    const target = await upload.target({ number: 1 }, signal);
    if (target.kind !== "http") throw new Error(target.kind);
    await keystone.revoke(target.headers["x-auth-token"] ?? "");
    const head = { method: "HEAD", headers: target.headers };
    expect((await fetch(target.url, head)).status).toBe(401);
    expect(watched.seen.length).toBe(1);
    await Promise.all([1, 2, 3, 4].map(() => upload.refresh(signal)));
    expect(watched.seen.length).toBe(2);
    const part = await send(upload, 1, noise(5000, 1));
    expect((await upload.complete([part], {}, signal)).size).toBe(5000);
    expect(watched.seen.length).toBe(2);
  });

  it("is asked for another token a minute before the first expires", async () => {
    let now = Date.now();
    const auth = new SwiftAuth(password(), undefined, () => now);
    const first = await auth.grant(signal);
    expect(first.storageUrl).toMatch(`${server.url}/v1/AUTH_`);
    const left = (first.expiresAt ?? 0) - now;
    expect(left).toBeGreaterThan(120_000);
    now += left - 61_000;
    expect((await auth.grant(signal)).token).toBe(first.token);
    now += 2_000;
    expect((await auth.grant(signal)).token).not.toBe(first.token);
  });

  it("lets an application credential in", async () => {
    const { id, secret } = await keystone.applicationCredential();
    const config = swiftConfigFromEnvironment({
      OS_AUTH_URL: keystone.authUrl.replace(/\/v3$/, "/"),
      OS_APPLICATION_CREDENTIAL_ID: id,
      OS_APPLICATION_CREDENTIAL_SECRET: secret,
      OS_INTERFACE: "internal",
    });
    const destination = await openSwift(config, { container: "images", object: "app" }, signal);
    const upload = await destination.begin({ existing: "replace" }, signal);
    expect((await upload.complete([await send(upload, 1, noise(100, 2))], {}, signal)).size).toBe(100);
  });

  it("refuses a wrong password", async () => {
    await expect(openSwift(password({ OS_PASSWORD: "nonsense" }), location, signal)).rejects.toMatchObject({
      code: "CREDENTIALS",
      message: expect.stringContaining('"admin"'),
    });
  });

  it("says which regions and interfaces there are, when the one named is not", async () => {
    await expect(openSwift(password({ OS_REGION_NAME: "Nowhere" }), location, signal)).rejects.toMatchObject({
      code: "NOT_FOUND",
      message: expect.stringMatching(/Nowhere.*public in RegionOne/),
    });
    await expect(
      openSwift(password({ OS_ENDPOINT_TYPE: "adminURL" }), location, signal),
    ).rejects.toMatchObject({
      message: expect.stringContaining("internal in RegionOne"),
    });
  });
});
