import { readFileSync, statSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { MiB } from "../../src/bytes/units.ts";
import { hideSecrets, withoutSecrets } from "../../src/telemetry/secrets.ts";
import { events, Program } from "../cli/program.ts";
import { noise } from "../oracle/disk.ts";
import { type RangeServer, rangeServer } from "../source/range-server.ts";

const SECRETS = {
  AWS_ACCESS_KEY_ID: "AKIAhunter0",
  AWS_SECRET_ACCESS_KEY: "hunter1-secret",
  AWS_SESSION_TOKEN: "hunter2-token",
  OSS_ACCESS_KEY_SECRET: "hunter3-secret",
  OS_PASSWORD: "hunter4-password",
  ST_KEY: "hunter5-key",
};

describe("what looks like a secret in a URL", () => {
  it.each([
    ["https://user:pa@ss@host/a/b.raw?X-Sig=1#f", "https://…@host/a/b.raw?…"],
    ["reads http://u:p@h, then s3://b/k?x", "reads http://…@h, then s3://b/k?…"],
    ["https://host/a@b/c", "https://host/a@b/c"],
    ["/srv/what?/a#1.raw", "/srv/what?/a#1.raw"],
    ["https://host:8080#token", "https://host:8080?…"],
  ])("is left out of %s", (text, shown) => {
    expect(hideSecrets(text)).toBe(shown);
  });

  it("is left out of every text inside a value, and nothing else is", () => {
    const value = { a: ["http://u:p@h/x"], b: { c: 1, d: null, e: true }, f: undefined };
    expect(withoutSecrets(value)).toEqual({ ...value, a: ["http://…@h/x"] });
  });
});

describe("a log", () => {
  const disk = noise(5 * MiB);
  let server: RangeServer;
  beforeAll(async () => {
    server = await rangeServer(disk);
  });
  afterAll(() => server[Symbol.asyncDispose]());

  const address = () => server.url.replace("//", "//ferry:hunter6@").concat("?Signature=hunter7");
  const eventsIn = (path: string) => events(readFileSync(path, "utf8"));

  it("tells what was asked for, planned, landed and done, and no secret", async () => {
    using program = new Program(SECRETS);
    const log = program.path("ferry.log");
    const transfer = ["transfer", address(), "out.qcow2", "--source-format", "raw", "--format", "qcow2"];
    const logged = ["--log", log, "--log-level", "debug", "--json"];
    const { status } = await program.run(...transfer, "--segment-size", "1M", ...logged);
    expect(status).toBe(0);
    const lines = eventsIn(log);
    expect(lines.map(({ event }) => event)).toEqual([
      "request",
      "stage",
      "plan",
      ...Array.from({ length: 5 }, () => "landed"),
      "done",
    ]);
    const source = server.url.replace("//", "//…@").concat("?…");
    expect(lines[0]).toMatchObject({ level: "info", command: "transfer", source, destination: "out.qcow2" });
    expect(lines[2]).toMatchObject({ slots: 5, total: disk.length, lanes: expect.any(Number) });
    const landed = lines.slice(3, -1).sort((a, b) => Number(a["number"]) - Number(b["number"]));
    expect(landed.map(({ number }) => number)).toEqual([2, 3, 4, 5, 6]);
    expect(landed[0]).toMatchObject({ level: "debug", length: expect.any(Number) });
    expect(lines.at(-1)).toMatchObject({ object: { name: "out.qcow2" }, seconds: expect.any(Number) });
    expect(readFileSync(log, "utf8")).not.toContain("hunter");
    expect(statSync(log).mode & 0o777).toBe(0o600);

    const again = await program.run("verify", address(), "out.qcow2", "--format-a", "raw", "--log", log);
    expect(again.status).toBe(0);
    const added = eventsIn(log).slice(lines.length);
    expect(added.map(({ event }) => event)).toEqual(["request", "done"]);
    expect(added[1]).toMatchObject({ equal: true });
    expect(readFileSync(log, "utf8")).not.toContain("hunter");
  });

  it("tells why a transfer failed, and no secret", async () => {
    using program = new Program({ ...SECRETS, AWS_ENDPOINT_URL: new URL(server.url).origin });
    server.instead = (_request, response) => {
      response.writeHead(403).end("<Error><Code>AccessDenied</Code><Message>no</Message></Error>");
      return true;
    };
    writeFileSync(program.path("in.raw"), disk);
    const log = program.path("ferry.log");
    const { status } = await program.run("transfer", "in.raw", "s3://bucket/key", "--log", log);
    expect(status).toBe(1);
    const lines = eventsIn(log);
    expect(lines.at(-1)).toMatchObject({ level: "error", event: "fault", code: "PERMISSION" });
    expect(readFileSync(log, "utf8")).not.toContain("hunter");
  });

  it("that cannot be written is told before anything is done", async () => {
    using program = new Program();
    writeFileSync(program.path("in.raw"), disk);
    const { status, stderr } = await program.run("transfer", "in.raw", "out", "--log", "no/such/ferry.log");
    expect([status, stderr]).toEqual([1, expect.stringContaining("no/such/ferry.log")]);
  });

  it("of the demo tells its steps", async () => {
    using program = new Program();
    const { status } = await program.run("demo", "--log", "ferry.log", "--json");
    expect(status).toBe(0);
    const lines = eventsIn(program.path("ferry.log"));
    expect(lines.filter(({ event }) => event === "step").length).toBe(5);
    expect(lines.at(-1)).toMatchObject({ event: "done", qemu: expect.any(String) });
  });
});
