import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { readAccess, writeLeftAccess } from "../../src/config/access.ts";

let home: string;
let env: Record<string, string>;
const path = (...names: string[]): string => join(home, ...names);
const left = (): string => path("state", "diskferry", "daemon", "access.json");

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "diskferry-access-"));
  env = { HOME: home, XDG_STATE_HOME: path("state") };
});
afterEach(() => rmSync(home, { recursive: true }));

const OWN = { server: "http://127.0.0.1:4711", token: "own-token" };

describe("how a daemon is reached", () => {
  it("is the usual port, without a token, when nothing is known", async () => {
    expect(await readAccess({}, env)).toEqual({ server: "http://127.0.0.1:7411" });
  });

  it("is what the daemon of this user has left, which only its owner can read", async () => {
    await writeLeftAccess(left(), OWN);
    expect(statSync(left()).mode & 0o777).toBe(0o600);
    expect(await readAccess({}, env)).toEqual(OWN);
    expect(await readAccess({ server: OWN.server }, env)).toEqual(OWN);
  });

  it("takes a token that was found to no other server", async () => {
    await writeLeftAccess(left(), OWN);
    const server = "https://elsewhere.example.org";
    expect(await readAccess({ server }, env)).toEqual({ server });
    expect(await readAccess({}, { ...env, DISKFERRY_SERVER: server })).toEqual({ server });
  });

  it("believes an option before a variable, and a variable before what was found", async () => {
    await writeLeftAccess(left(), OWN);
    writeFileSync(path("token"), "from-file\n");
    const said = { ...env, DISKFERRY_TOKEN: "from-variable", DISKFERRY_SERVER: "http://variable" };
    expect(await readAccess({}, said)).toEqual({ server: "http://variable", token: "from-variable" });
    expect((await readAccess({ tokenFile: path("token") }, said)).token).toBe("from-file");
    expect((await readAccess({ token: "from-option" }, said)).token).toBe("from-option");
    expect((await readAccess({ server: "http://option" }, said)).server).toBe("http://option");
  });

  it("takes the access file of another daemon for a token file", async () => {
    mkdirSync(path("other"));
    await writeLeftAccess(path("other", "access.json"), OWN);
    expect(await readAccess({ tokenFile: path("other", "access.json") }, env)).toEqual(OWN);
  });

  it("reads certificates, and wants a key with them", async () => {
    for (const name of ["ca", "crt", "key"]) writeFileSync(path(name), `pem of ${name}`);
    const { ca, certificate, key } = await readAccess(
      { ca: path("ca"), certificate: path("crt"), key: path("key") },
      env,
    );
    expect([ca, certificate, key]).toEqual(["pem of ca", "pem of crt", "pem of key"]);
    await expect(readAccess({ key: path("key") }, env)).rejects.toMatchObject({ code: "USAGE" });
  });

  it.each([
    ["a server that is no URL", { server: "localhost:7411" }],
    ["a token of several lines", { token: "one\ntwo" }],
  ])("refuses %s", async (_, options) => {
    await expect(readAccess(options, env)).rejects.toMatchObject({ code: "USAGE" });
  });

  it("shows nothing of a file that is not what it should be", async () => {
    await writeLeftAccess(left(), OWN);
    writeFileSync(left(), "secret");
    await expect(readAccess({}, env)).rejects.toMatchObject({
      code: "USAGE",
      message: expect.not.stringContaining("secret"),
    });
    await expect(readAccess({ tokenFile: path("none") }, env)).rejects.toMatchObject({ code: "NOT_FOUND" });
  });
});
