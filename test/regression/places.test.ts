/** What users write for places, names and secrets, and what becomes of it. */
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { afterEach, describe, expect, it, vi } from "vitest";
import { MiB } from "../../src/bytes/units.ts";
import { parseLocation } from "../../src/config/location.ts";
import { parseSettings } from "../../src/config/parse-settings.ts";
import { fileInDirectory } from "../../src/engine/file-name.ts";
import type { Fault } from "../../src/fault/fault.ts";
import { noise } from "../oracle/disk.ts";
import { makeWorld } from "../support/world.ts";

const world = await makeWorld("places");
const never = new AbortController().signal;

function faultIn(work: () => unknown): Fault {
  try {
    work();
  } catch (error) {
    return error as Fault;
  }
  throw new Error("no fault");
}

describe("a configuration file with an alias that leads nowhere", () => {
  it("is wrong usage, told in one line without what may be a secret", () => {
    const text = "stores:\n  oss:\n    accessKeySecret: *hunter2secret\n";
    const fault = faultIn(() => parseSettings(text, "config.yaml"));
    expect(fault.code).toBe("USAGE");
    expect(fault.message).toMatch(/^config\.yaml:.* anchor .*$/);
    expect(JSON.stringify([fault.toWire(), fault.stack])).not.toContain("hunter2");
  });
});

describe("a file URL", () => {
  it.each(["file:///a%zz", "file://host/x"])(
    "such as %s, which names no file here, is wrong usage",
    (url) => {
      const fault = faultIn(() => parseLocation(url));
      expect([fault.code, fault.message]).toEqual(["USAGE", expect.stringContaining(url)]);
    },
  );

  it("of this host is its path", () => {
    expect(parseLocation("file:///tmp/a%20b")).toEqual({ kind: "file", path: "/tmp/a b" });
  });
});

describe("null:", () => {
  it("is the place that keeps nothing", () => {
    expect(parseLocation("null:")).toEqual({ kind: "null" });
  });

  it.each(["null:y", "null:/y", "null://y", "null: "])(
    "takes nothing behind it: %j is wrong usage",
    (text) => {
      const { code, message } = faultIn(() => parseLocation(text));
      expect([code, message]).toEqual(["USAGE", expect.stringContaining(`${text}: `)]);
      expect(message).toContain("write null: alone");
    },
  );

  it("may begin the name of a file, whose path begins otherwise", () => {
    expect(parseLocation("./null:y")).toEqual({ kind: "file", path: "./null:y" });
  });
});

describe("a destination that is a directory", () => {
  it("gets a file named after the source, with the ending of the format that is written", async () => {
    mkdirSync(world.path("out"));
    writeFileSync(world.path("q.raw"), noise(MiB));
    await world.transfer("q.raw", "q.qcow2", { format: "qcow2" });
    const kept = await world.transfer("q.qcow2", "out/");
    const converted = await world.transfer("q.qcow2", "out/", { format: "raw" });
    expect([kept.object.name, converted.object.name]).toEqual([
      world.path("out/q.qcow2"),
      world.path("out/q.raw"),
    ]);
    expect(readdirSync(world.path("out")).sort()).toEqual(["q.qcow2", "q.raw"]);
  });

  it("keeps # and ? in the names of local files, and drops query and fragment of URLs", async () => {
    mkdirSync(world.path("odd"));
    writeFileSync(world.path("a#1?b.img"), noise(MiB));
    await world.transfer("a#1?b.img", "odd/", { source: { format: "raw" }, format: "raw" });
    expect(readdirSync(world.path("odd"))).toEqual(["a#1?b.raw"]);
    const url = "https://host/d/disk.vhd?Signature=x#y";
    expect(await fileInDirectory("odd/", url, "qcow2")).toBe("odd/disk.qcow2");
  });
});

describe("an S3 place without region and endpoint", () => {
  afterEach(() => vi.unstubAllEnvs());

  it.each(["source", "destination"] as const)("as %s asks for the region", async (role) => {
    for (const name of ["AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"]) vi.stubEnv(name, undefined);
    for (const name of ["AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"])
      vi.stubEnv(name, world.path("none"));
    writeFileSync(world.path("s.raw"), noise(4096));
    const [from, to] = role === "source" ? ["s3://a/b", "s.out"] : ["s.raw", "s3://a/b"];
    await expect(
      world.transfer(from, to, { source: { format: "raw" }, format: "raw" }),
    ).rejects.toMatchObject({
      code: "CREDENTIALS",
      message: expect.stringMatching(/^s3:\/\/a\/b: .*set AWS_REGION or stores\.s3\.region$/),
    });
    expect(existsSync(world.path("s.out"))).toBe(false);
  });
});

describe("two names of one file", () => {
  it("are one place, and one name in two directories is two", async () => {
    mkdirSync(world.path("one"));
    mkdirSync(world.path("two"));
    const identity = async (name: string) => {
      await using destination = await world.engine.places.destination(name, never);
      return destination.identity;
    };
    expect(await identity(world.path("one/../one/./x"))).toBe(await identity(world.path("one/x")));
    expect(await identity(world.path("one/x"))).not.toBe(await identity(world.path("two/x")));
  });
});
