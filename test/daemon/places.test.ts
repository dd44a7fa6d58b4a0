import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Destination } from "../../src/catalog/destination.ts";
import { type Allowed, daemonPlaces } from "../../src/daemon/places.ts";

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

  it("tell which objects are there, or on their way (FJ-7)", async () => {
    writeFileSync(path("quay", "there.raw"), "");
    writeFileSync(path("quay", ".coming.raw.diskferry-part"), "");
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
  it("are asked in the folders that are allowed, and in no others", async () => {
    const seen: string[] = [];
    const server = createServer((request, response) => {
      seen.push(request.url ?? "");
      response.writeHead(206, {
        "content-range": "bytes 0-0/10",
        "accept-ranges": "bytes",
        etag: '"x"',
        "content-length": "1",
      });
      response.end(request.method === "HEAD" ? undefined : "x");
    });
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
    const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const { url } = places({ urls: [`${base}/images`] });
    const ask = (address: string): Promise<string> =>
      url(address, never).then(
        () => "asked",
        (fault: { code: string }) => fault.code,
      );
    for (const address of [
      `${base}/secret`,
      `${base}/images2/x`,
      `${base}/images/../secret`,
      "http://127.0.0.1:1/images/x",
    ]) {
      expect(await ask(address)).toBe("PERMISSION");
    }
    expect(seen).toEqual([]);
    await ask(`${base}/images/x`);
    expect(seen).toContain("/images/x");
    expect(
      await places()
        .url("https://x/", never)
        .catch((fault: { code: string }) => fault.code),
    ).toBe("PERMISSION");
    await new Promise((done) => server.close(done));
  });
});
