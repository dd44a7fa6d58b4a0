/** What `serve` says of its configuration, and whom it lets in. */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "node:tls";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type DaemonHarbour, daemonHarbour, leftAccess, writeConfig } from "./harbour.ts";

const SECRET = "s3cr3t-that-nobody-may-see";
const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");

let here: DaemonHarbour;
beforeEach(async () => {
  here = await daemonHarbour(["--config", "daemon.yaml"]);
});
afterEach(() => here[Symbol.asyncDispose]());

const check = () => here.program.run("serve", "--config", "daemon.yaml", "--check");

describe("serve --check", () => {
  it("says what the configuration means, shows no secret, and opens nothing", async () => {
    writeConfig(here.path, {
      more:
        `credentials:\n  c:\n    s3: { accessKeyId: x, secretAccessKey: ${SECRET} }\n` +
        `volumes:\n  v: { project: p, region: east, root: files, path: v.raw }\n` +
        `callers:\n  tokens:\n    - { name: ann, project: p, role: user, sha256: ${sha256(SECRET)} }`,
    });
    const { status, stdout, stderr } = await check();
    expect([status, stderr]).toEqual([0, ""]);
    expect(JSON.parse(stdout)).toMatchObject({
      event: "checked",
      stateDirectory: here.path("state", "diskferry", "daemon"),
      cleartext: "127.0.0.1:0",
      regions: [
        { id: "east", imageStore: "east" },
        { id: "west", imageStore: "west" },
      ],
      credentials: ["c"],
      volumes: ["v"],
      callers: [{ name: "ann", project: "p", role: "user" }],
    });
    expect(stdout).not.toContain(SECRET);
    // A daemon can start afterwards: nothing is held, and nothing was made.
    await here.start();
  });

  it.each([
    ["a field that is wrong", "limits: { runs: 0 }", /daemon\.yaml:\d+: limits\.runs: /],
    ["a file that is not there", "log: { file: '$" + "{file:none}' }", /daemon\.yaml:\d+: \$\{file:none\}: /],
  ])("refuses %s with status 2", async (_, more, message) => {
    writeConfig(here.path, { more });
    const { status, stdout, stderr } = await check();
    expect([status, stdout]).toEqual([2, ""]);
    expect(stderr).toMatch(message);
    expect((await here.program.run("serve", "--config", "daemon.yaml")).status).toBe(2);
  });

  it("misses a directory that is not mounted", async () => {
    writeConfig(here.path);
    rmSync(here.path("quay"), { recursive: true });
    const { status, stderr } = await check();
    expect([status, stderr]).toEqual([2, expect.stringContaining("destinations.quay.location: ")]);
    expect((await here.program.run("serve", "--config", "daemon.yaml")).status).toBe(2);
  });

  it("wants a configuration file that is there", async () => {
    const { status, stderr } = await here.program.run("serve", "--config", "none.yaml", "--check");
    expect([status, stderr]).toEqual([1, expect.stringContaining("none.yaml")]);
  });
});

describe("whoever asks", () => {
  const caller = (name: string, role: string) =>
    `    - { name: ${name}, project: ${name}, role: ${role}, sha256: ${sha256(`token-of-${name}`)} }\n`;

  it("is known by a configured token, sees his own project, and may do what his role allows", async () => {
    writeConfig(here.path, {
      more: `callers:\n  tokens:\n${caller("ann", "user")}${caller("root", "admin")}`,
    });
    // What an earlier daemon has left opens nothing any more.
    mkdirSync(here.path("state", "diskferry", "daemon"), { recursive: true });
    writeFileSync(
      here.path("state", "diskferry", "daemon", "access.json"),
      JSON.stringify({ server: "http://x", token: "old" }),
    );
    writeFileSync(here.path("files", "disk.raw"), "x".repeat(4096));
    await here.start();
    const server = ["--server", here.url];
    const as = (name: string) => [...server, "--token", `token-of-${name}`];
    expect((await here.run("tasks", ...server)).lines.at(-1)).toMatchObject({ code: "CREDENTIALS" });
    expect((await here.run("tasks", ...server, "--token", "wrong")).status).toBe(1);

    const importDisk = ["import", "file:files/disk.raw", "--region", "east", "--name", "disk"];
    const refused = await here.run(...importDisk, ...as("ann"));
    expect(refused.lines.at(-1)).toMatchObject({ code: "PERMISSION", details: { reason: "admins-only" } });
    const { id } = await here.ask(...importDisk, "--wait", ...as("root"));
    expect((await here.run("tasks", ...as("ann"))).stdout).toBe("");
    expect((await here.run("task", String(id), ...as("ann"))).lines.at(-1)).toMatchObject({
      code: "NOT_FOUND",
    });
    expect((await here.run("limits", "east", "--copies", "1", ...as("ann"))).status).toBe(1);
    expect((await here.run("limits", ...as("ann"))).status).toBe(0);
  });

  it("is known by a certificate over TLS; a stranger's opens nothing", async () => {
    makeCertificates(here.path);
    const pem = (name: string): string => here.path(name);
    writeConfig(here.path, {
      listen: `tls: { host: 127.0.0.1, port: 0, certificate: ${pem("server.crt")}, key: ${pem("server.key")}, clientAuthorities: ${pem("ca.crt")} }`,
      more: "callers:\n  certificates:\n    - { name: panel, project: shop, role: user, commonName: panel }",
    });
    await here.start();
    expect(here.url).toMatch(/^https:/);
    const reach = ["--server", here.url, "--ca", "ca.crt"];
    const own = ["--certificate", "panel.crt", "--key", "panel.key"];
    expect((await here.run("regions", ...reach, ...own)).lines.map(({ id }) => id)).toEqual(["east", "west"]);
    const none = await here.run("regions", ...reach);
    expect(none.lines.at(-1)).toMatchObject({ code: "CREDENTIALS" });
    const strange = ["--certificate", "strange.crt", "--key", "strange.key"];
    expect((await here.run("regions", ...reach, ...strange)).status).toBe(1);
    const blind = await here.run("regions", "--server", here.url, ...own);
    expect(blind.lines.at(-1)).toMatchObject({
      code: "CREDENTIALS",
      message: expect.stringContaining("--ca"),
    });
  });
});

describe("a certificate that is renewed", () => {
  it("is shown after SIGHUP, and one that cannot be used is not", async () => {
    makeCertificates(here.path);
    const pem = (name: string): string => here.path(name);
    writeConfig(here.path, {
      listen: `tls: { host: 127.0.0.1, port: 0, certificate: ${pem("server.crt")}, key: ${pem("server.key")} }`,
    });
    await here.start();
    expect(await shownBy(here.url)).toBe("server");

    for (const ending of ["crt", "key"]) copyFileSync(pem(`panel.${ending}`), pem(`server.${ending}`));
    expect(await shownBy(here.url)).toBe("server");
    here.daemon.kill("SIGHUP");
    await here.daemon.logged("reloaded");
    expect(await shownBy(here.url)).toBe("panel");

    copyFileSync(pem("strange.key"), pem("server.key"));
    here.daemon.kill("SIGHUP");
    await here.daemon.logged("reload-failed");
    expect(await shownBy(here.url)).toBe("panel");
    rmSync(pem("server.crt"));
    here.daemon.kill("SIGHUP");
    await here.daemon.logged("listen.tls.certificate: ");
    expect(await shownBy(here.url)).toBe("panel");
  });
});

/** The common name of the certificate that a server shows. */
async function shownBy(url: string): Promise<string | undefined> {
  const socket = connect({ host: "127.0.0.1", port: Number(new URL(url).port), rejectUnauthorized: false });
  await once(socket, "secureConnect");
  const name = socket.getPeerCertificate().subject.CN;
  socket.destroy();
  return Array.isArray(name) ? name[0] : name;
}

describe("those who look after it", () => {
  it("see whether it lives and works, and with a token how it does", async () => {
    writeConfig(here.path);
    await here.start();
    const status = async (path: string): Promise<number> => (await fetch(here.url + path)).status;
    expect([await status("/healthz"), await status("/readyz"), await status("/metrics")]).toEqual([
      200, 200, 401,
    ]);
  });

  it("see metrics without a token where the configuration opens them", async () => {
    writeConfig(here.path, { more: "metrics: { access: open }" });
    await here.start();
    const metrics = await (await fetch(`${here.url}/metrics`)).text();
    expect(metrics).toContain('diskferry_slots{kind="copy",region="east"} 5');
  });

  it("find its log in the file that the configuration names, and no token in it", async () => {
    writeConfig(here.path, { more: `log: { file: ${here.path("daemon.log")} }` });
    await here.start();
    await here.ask("regions");
    here.daemon.kill("SIGTERM");
    const { status, stderr } = await here.daemon.ended;
    expect([status, stderr]).toEqual([0, ""]);
    const log = readFileSync(here.path("daemon.log"), "utf8");
    expect(log).toContain('"operation":"/diskferry.v1.RegionService/ListRegions"');
    expect(log).not.toContain(leftAccess(here.path).token);
  });
});

describe("the service manager", () => {
  it("is told when the daemon is ready, and when it stops, and is not waited for", async () => {
    const bin = mkdtempSync(join(tmpdir(), "diskferry-bin-"));
    try {
      const told = join(bin, "told");
      writeFileSync(join(bin, "systemd-notify"), `#!/bin/sh\necho "$NOTIFY_SOCKET $*" >> ${told}\nexit 1\n`, {
        mode: 0o755,
      });
      const path = `${bin}:${process.env["PATH"]}`;
      await using managed = await daemonHarbour(["--port", "0"], { PATH: path, NOTIFY_SOCKET: "/run/x" });
      await managed.start();
      expect(readFileSync(told, "utf8")).toBe("/run/x READY=1\n");
      managed.daemon.kill("SIGTERM");
      const { status, stderr } = await managed.daemon.ended;
      expect(status).toBe(0);
      expect(readFileSync(told, "utf8")).toBe("/run/x READY=1\n/run/x STOPPING=1\n");
      expect(stderr).toContain('"event":"manager-not-told"');
    } finally {
      rmSync(bin, { recursive: true });
    }
  });
});

/** An authority, a server and a client that it has signed, and a client that it has not. */
function makeCertificates(path: (name: string) => string): void {
  const openssl = (...args: string[]): void => {
    execFileSync("openssl", args, { stdio: "ignore" });
  };
  const request = (name: string): string[] => [
    "-newkey",
    "rsa:2048",
    "-nodes",
    "-keyout",
    path(`${name}.key`),
  ];
  openssl("req", "-x509", ...request("ca"), "-out", path("ca.crt"), "-subj", "/CN=authority", "-days", "2");
  openssl(
    "req",
    "-x509",
    ...request("strange"),
    "-out",
    path("strange.crt"),
    "-subj",
    "/CN=panel",
    "-days",
    "2",
  );
  writeFileSync(path("names"), "subjectAltName=IP:127.0.0.1\n");
  for (const name of ["server", "panel"]) {
    openssl("req", ...request(name), "-out", path(`${name}.csr`), "-subj", `/CN=${name}`);
    const signed = ["-CA", path("ca.crt"), "-CAkey", path("ca.key"), "-CAcreateserial", "-days", "2"];
    openssl(
      "x509",
      "-req",
      "-in",
      path(`${name}.csr`),
      "-out",
      path(`${name}.crt`),
      "-extfile",
      path("names"),
      ...signed,
    );
  }
}
