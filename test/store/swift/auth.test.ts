import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { Fault } from "../../../src/fault/fault.ts";
import { SwiftAuth } from "../../../src/store/swift/auth.ts";
import { SwiftConfig } from "../../../src/store/swift/config.ts";
import { openSwift } from "../../../src/store/swift/destination.ts";
import { configFor, md5, noise, putOnce, raw, send, signal } from "../../support/swift/drive.ts";
import { startMeddler } from "../../support/swift/meddler.ts";
import { SWIFT, SWIFT_REASON, startSwift } from "../../support/swift.ts";

const OPENSSL = spawnSync("openssl", ["version"]).status === 0;

/** A v1 server that gives each caller the next token, of the lives given. */
async function startIssuer(lives: readonly number[]) {
  let logins = 0;
  const server = createServer((ask, reply) => {
    const life = lives[Math.min(logins, lives.length - 1)] ?? 0;
    logins += 1;
    reply.writeHead(ask.headers["x-auth-key"] === "right" ? 200 : 401, {
      "x-auth-token": `token-${logins}`,
      "x-storage-url": "http://store.example/v1/AUTH_a",
      "x-auth-token-expires": String(life),
    });
    reply.end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/auth/v1.0`,
    logins: () => logins,
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function v1(authUrl: string, key = "right"): SwiftConfig {
  return SwiftConfig.parse({ login: { kind: "v1", authUrl, user: "a:b", key } });
}

describe("logging in", () => {
  it("happens once for however many ask", async () => {
    const issuer = await startIssuer([1000]);
    const auth = new SwiftAuth(v1(issuer.url), undefined);
    const grants = await Promise.all(Array.from({ length: 20 }, () => auth.grant(signal)));
    expect(new Set(grants.map((grant) => grant.token))).toEqual(new Set(["token-1"]));
    await Promise.all(Array.from({ length: 20 }, () => auth.refresh("token-1", signal)));
    // A straggler with the old token does not cost another login.
    await auth.refresh("token-1", signal);
    expect((await auth.grant(signal)).token).toBe("token-2");
    expect(issuer.logins()).toBe(2);
    await issuer.stop();
  });

  it("goes on for the others when one caller gives up", async () => {
    const issuer = await startIssuer([1000]);
    const auth = new SwiftAuth(v1(issuer.url), undefined);
    const controller = new AbortController();
    const given = auth.grant(controller.signal);
    const kept = auth.grant(signal);
    controller.abort(new Fault("CANCELED", "given up"));
    await expect(given).rejects.toMatchObject({ code: "CANCELED" });
    expect((await kept).token).toBe("token-1");
    await issuer.stop();
  });

  it("is done again ahead of the token's end", async () => {
    const issuer = await startIssuer([3600]);
    let now = 0;
    const auth = new SwiftAuth(v1(issuer.url), undefined, () => now);
    expect((await auth.grant(signal)).token).toBe("token-1");
    now = 3_539_000;
    expect((await auth.grant(signal)).token).toBe("token-1");
    now = 3_541_000;
    expect((await auth.grant(signal)).token).toBe("token-2");
    await issuer.stop();
  });

  it("says who was refused, and never shows the key", async () => {
    const issuer = await startIssuer([1]);
    const auth = new SwiftAuth(v1(issuer.url, "wrong-key"), undefined);
    const refused = await auth.grant(signal).catch((error: Fault) => error);
    expect(refused).toMatchObject({ code: "CREDENTIALS", message: expect.stringContaining('"a:b"') });
    expect(JSON.stringify(refused)).not.toContain("wrong-key");
    expect(issuer.logins()).toBe(1);
    await issuer.stop();
  });

  it.each([
    [302, "STORE_REFUSED"],
    [404, "STORE_REFUSED"],
  ])("is given up when the server answers %i", async (status, code) => {
    const meddler = await startMeddler("http://127.0.0.1:1", () => ({ status }));
    const auth = new SwiftAuth(v1(`${meddler.url}/auth`), undefined);
    await expect(auth.grant(signal)).rejects.toMatchObject({ code });
    expect(meddler.seen.length).toBe(1);
    await meddler.stop();
  });

  it("cannot renew a token that was given without a password", async () => {
    const config = SwiftConfig.parse({
      login: { kind: "token", token: "t" },
      storageUrl: "http://store.example/v1/AUTH_a/",
    });
    const auth = new SwiftAuth(config, undefined);
    expect(await auth.grant(signal)).toEqual({ token: "t", storageUrl: "http://store.example/v1/AUTH_a" });
    await expect(auth.refresh("t", signal)).rejects.toMatchObject({ code: "CREDENTIALS" });
  });
});

describe.skipIf(!SWIFT)(`tokens of a real Swift${SWIFT_REASON}`, () => {
  it("are renewed once when many parts are refused in mid upload", async () => {
    const server = await startSwift({ tokenSeconds: 2 });
    const meddler = await startMeddler(server.url, () => "pass");
    try {
      const config = configFor(server, { ST_AUTH: `${meddler.url}/auth/v1.0` });
      const destination = await openSwift(config, { container: "images", object: "long" }, signal);
      const upload = await destination.begin({ existing: "refuse" }, signal);
      const logins = () => meddler.seen.filter(({ path }) => path.startsWith("/auth")).length;
      // The targets are signed now and used when their token is no longer good.
      const numbers = [1, 2, 3, 4, 5, 6, 7, 8];
      const target = await upload.target({ number: 1 }, signal);
      if (target.kind !== "http") throw new Error(target.kind);
      await expect
        .poll(async () => (await fetch(target.url, { method: "HEAD", headers: target.headers })).status, {
          timeout: 30_000,
          interval: 100,
        })
        .toBe(401);
      const before = logins();
      await Promise.all(numbers.map(() => upload.refresh(signal)));
      expect(logins()).toBe(before + 1);
      const parts = [];
      for (const number of numbers) parts.push(await send(upload, number, noise(500, number)));
      await upload.complete(parts, {}, signal);
      const whole = Buffer.concat(numbers.map((number) => noise(500, number)));
      expect(md5((await raw(server, "GET", "/images/long")).bytes)).toBe(md5(whole));
    } finally {
      await meddler.stop();
      await server.stop();
    }
  });

  it("are kept when one is refused by mistake", async () => {
    const server = await startSwift();
    const meddler = await startMeddler(server.url, () => "pass");
    try {
      const config = configFor(server, { ST_AUTH: `${meddler.url}/auth/v1.0` });
      const destination = await openSwift(config, { container: "images", object: "calm" }, signal);
      const upload = await destination.begin({ existing: "refuse" }, signal);
      await upload.refresh(signal);
      await upload.refresh(signal);
      expect(meddler.seen.filter(({ path }) => path.startsWith("/auth")).length).toBe(1);
      expect((await putOnce(upload, 1, noise(10, 1))).status).toBe(201);
    } finally {
      await meddler.stop();
      await server.stop();
    }
  });

  it("are not given for a wrong key", async () => {
    const server = await startSwift();
    const wrong = openSwift(
      configFor(server, { ST_KEY: "nonsense" }),
      { container: "c", object: "o" },
      signal,
    );
    await expect(wrong).rejects.toMatchObject({ code: "CREDENTIALS" });
    await server.stop();
  });

  it.skipIf(!OPENSSL)(
    `travel over TLS to a server whose authority is named${OPENSSL ? "" : " (skipped: no openssl)"}`,
    async () => {
      const folder = mkdtempSync(join(tmpdir(), "diskferry-tls-"));
      const [key, cert] = [join(folder, "key.pem"), join(folder, "cert.pem")];
      execFileSync(
        "openssl",
        `req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=test -addext subjectAltName=IP:127.0.0.1 -keyout ${key} -out ${cert}`.split(
          " ",
        ),
        { stdio: "ignore" },
      );
      const server = await startSwift({ tls: { cert, key } });
      const location = { container: "c", object: "o" };
      try {
        await expect(openSwift(configFor(server), location, signal)).rejects.toMatchObject({
          code: "STORE_REFUSED",
        });
        const destination = await openSwift(configFor(server, { OS_CACERT: cert }), location, signal);
        const upload = await destination.begin({ existing: "refuse" }, signal);
        const target = await upload.target({ number: 1 }, signal);
        expect(target).toMatchObject({ kind: "http", ca: expect.stringContaining("BEGIN CERTIFICATE") });
        const zeros = await upload.zeros({ number: 1, length: 1000, offset: 0 }, signal);
        expect((await upload.complete([zeros], {}, signal)).size).toBe(1000);
      } finally {
        await server.stop();
        rmSync(folder, { recursive: true });
      }
    },
  );
});
