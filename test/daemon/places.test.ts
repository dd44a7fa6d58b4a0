import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Destination } from "../../src/catalog/destination.ts";
import { type Allowed, daemonPlaces } from "../../src/daemon/places.ts";
import type { Fault } from "../../src/fault/fault.ts";

const never = new AbortController().signal;
let home: string;
const path = (...names: string[]): string => join(home, ...names);

beforeEach(() => {
  home = realpathSync(mkdtempSync(join(tmpdir(), "diskferry-places-")));
  for (const folder of ["root", "root/below", "quay", "secret"]) mkdirSync(path(folder));
  writeFileSync(path("root", "disk.raw"), "a disk");
  writeFileSync(path("secret", "disk.raw"), "a secret");
  symlinkSync(path("secret"), path("root", "way"));
  symlinkSync(path("secret", "disk.raw"), path("root", "link.raw"));
  symlinkSync(path("root", "disk.raw"), path("root", "inside.raw"));
  symlinkSync(path("secret"), path("quay", "way"));
});
afterEach(() => rmSync(home, { recursive: true }));

const places = (allowed: Partial<Allowed> = {}) =>
  daemonPlaces({
    credentials: new Map(),
    roots: new Map([["files", path("root")]]),
    directories: [path("quay")],
    urls: [],
    ...allowed,
  });

const directory = (location: string): Destination => ({
  name: "d",
  region: "east",
  provider: "directory",
  container: location,
  location: `${location}/`,
});

const bucket = (provider: "swift" | "s3" | "oss", given: Partial<Destination> = {}): Destination => ({
  name: "d",
  region: "east",
  provider,
  container: "c",
  location: `${provider}://c/`,
  ...given,
});

describe("files of the host", () => {
  it.each(["disk.raw", "inside.raw", "below/../disk.raw"])("are read below a root: %s", async (name) => {
    await using source = await places().file("files", name, never);
    expect(source.size).toBe(6);
  });

  it.each(["../secret/disk.raw", "way/disk.raw", "link.raw", "../root2"])(
    "are read nowhere else: %s",
    async (name) => {
      const refused = await places()
        .file("files", name, never)
        .then(
          () => "read",
          (fault: { code: string }) => fault.code,
        );
      expect(["PERMISSION", "NOT_FOUND"]).toContain(refused);
      if (name !== "../root2") expect(refused).toBe("PERMISSION");
    },
  );

  it("need a root that there is", async () => {
    await expect(places().file("none", "disk.raw", never)).rejects.toMatchObject({ code: "NOT_FOUND" });
  });
});

describe("directories", () => {
  it("are written to where the configuration names them, and below roots", async () => {
    await using _ = await places().destination(directory(path("quay")), "a.raw", never);
    await using __ = await places().destination(directory(path("root", "below")), "a.raw", never);
  });

  it.each([
    ["a directory that nobody has allowed", "secret", "a.raw"],
    ["a directory that is reached by a link", "root/way", "a.raw"],
    ["an object behind a link", "quay", "way/a.raw"],
    ["an object above", "quay", "../secret/a.raw"],
  ])("refuse %s", async (_, at, object) => {
    await expect(places().destination(directory(path(at)), object, never)).rejects.toMatchObject({
      code: "PERMISSION",
    });
    await expect(places().source(directory(path(at)), object, never)).rejects.toMatchObject({
      code: "PERMISSION",
    });
  });

  it.each(["quay", "root/below"])("are not left by a link that is read: %s", async (name) => {
    symlinkSync(path("secret", "disk.raw"), path(name, "link.raw"));
    await expect(places().source(directory(path(name)), "link.raw", never)).rejects.toMatchObject({
      code: "PERMISSION",
    });
    writeFileSync(path(name, "own.raw"), "own");
    symlinkSync("own.raw", path(name, "inside.raw"));
    await using source = await places().source(directory(path(name)), "inside.raw", never);
    expect(source.size).toBe(3);
  });

  it("tell which objects are there, or on their way (FJ-7)", async () => {
    writeFileSync(path("quay", "there.raw"), "");
    writeFileSync(path("quay", ".coming.raw.0123abcd.diskferry-part"), "");
    const { existing } = places();
    const asked = ["there.raw", "coming.raw", "new.raw"];
    expect(await existing(directory(path("quay")), asked, never)).toEqual(["there.raw", "coming.raw"]);
    await expect(existing(directory(path("gone")), asked, never)).rejects.toMatchObject({
      code: "NOT_FOUND",
    });
  });
});

describe("stores", () => {
  it.each(["swift", "s3", "oss"] as const)("need a credential for %s", async (provider) => {
    const { destination, source, existing } = places({
      credentials: new Map([["other", provider === "s3" ? { oss: OSS } : { s3: {} }]]),
    });
    for (const given of [{}, { credential: "none" }, { credential: "other" }]) {
      const place = bucket(provider, given);
      const refusal = { code: "CREDENTIALS", message: expect.stringContaining("destination d") };
      await expect(destination(place, "o", never)).rejects.toMatchObject(refusal);
      await expect(source(place, "o", never)).rejects.toMatchObject(refusal);
      await expect(existing(place, ["o"], never)).rejects.toMatchObject(refusal);
    }
  });

  it("refuse a location of another kind than their own", async () => {
    const { destination } = places({ credentials: new Map([["c", { s3: {} }]]) });
    const place = bucket("s3", { credential: "c", location: "/etc/" });
    await expect(destination(place, "o", never)).rejects.toMatchObject({ code: "USAGE" });
  });
});

const OSS = { region: "cn-x", accessKeyId: "x", accessKeySecret: "x", addressing: "path" } as const;

describe("URLs", () => {
  let base: string;
  let seen: string[];
  let server: Server;
  beforeEach(async () => {
    seen = [];
    server = createServer((request, response) => {
      const path = request.url ?? "";
      seen.push(path);
      const to = new URL(path, "http://x").searchParams.get("to");
      if (to !== null) return void response.writeHead(302, { location: to }).end();
      response.writeHead(206, { "content-range": "bytes 0-0/10", etag: '"x"', "content-length": "1" });
      response.end("x");
    });
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
    base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterEach(() => new Promise((done) => server.close(done)));

  const ask = async (urls: Allowed["urls"], address: string): Promise<string> => {
    try {
      await using _ = await places({ urls }).url(address, never);
      return "asked";
    } catch (error) {
      const { code, message } = error as Fault;
      expect(message).not.toContain("secret");
      return code;
    }
  };

  it("are asked in the folders that are allowed, and in no others", async () => {
    const urls = [`${base}/images`];
    for (const address of [
      `${base}/other?Signature=secret`,
      `${base}/images2/x`,
      `${base}/images/../other`,
      "http://user:secret@127.0.0.1:1/images/x",
    ]) {
      expect(await ask(urls, address)).toBe("PERMISSION");
    }
    expect(seen).toEqual([]);
    expect(await ask(urls, `${base}/images/x`)).toBe("asked");
    expect(await ask([], "https://x/")).toBe("PERMISSION");
  });

  it("redirect within the folders that are allowed, and not out of them", async () => {
    const urls = [`${base}/images`];
    expect(await ask(urls, `${base}/images/x?to=/other`)).toBe("PERMISSION");
    expect(await ask(urls, `${base}/images/x?to=/images/y%3Fto=/other`)).toBe("PERMISSION");
    expect(seen).toEqual([
      "/images/x?to=/other",
      "/images/x?to=/images/y%3Fto=/other",
      "/images/y?to=/other",
    ]);
    expect(await ask(urls, `${base}/images/x?to=/images/y`)).toBe("asked");
  });

  it("of this host and its networks are asked when they are named, or when anywhere is meant", async () => {
    const { port } = new URL(base);
    for (const host of [
      "127.0.0.1",
      "localhost",
      "0x7f.1",
      "[::1]",
      "[::ffff:127.0.0.1]",
      "0.0.0.0",
      "10.1.2.3",
      "169.254.169.254",
      "192.168.1.1",
      "172.31.0.1",
      "[fd00::1]",
      "[fe80::1]",
      "[64:ff9b::7f00:1]",
    ]) {
      expect([host, await ask("any", `http://${host}:${port}/x`)]).toEqual([host, "PERMISSION"]);
    }
    expect(seen).toEqual([]);
    expect(await ask("anywhere", `${base}/x`)).toBe("asked");
  });

  it("need a host that has an address", async () => {
    expect(await ask("any", "http://nowhere.invalid/x")).toBe("NETWORK");
  });
});
