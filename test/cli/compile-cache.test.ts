/** Compiled code is kept between starts, where nobody else can put code of his own. */
import { chmodSync, existsSync, globSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { Program } from "./program.ts";

/** Nothing of the caller's tells where. */
const OWN = { NODE_COMPILE_CACHE: undefined };

const kept = (program: Program, cache: string): string[] =>
  globSync(`${program.path(cache)}/diskferry/compiled/*/*`);

describe("compiled code", () => {
  it("is kept below the home directory", async () => {
    using program = new Program(OWN);
    expect(await program.run("--version")).toMatchObject({ status: 0 });
    expect(kept(program, ".cache")).not.toEqual([]);
  });

  it("is kept where XDG_CACHE_HOME says", async () => {
    using program = new Program({ ...OWN, XDG_CACHE_HOME: "" });
    using other = new Program({ ...OWN, XDG_CACHE_HOME: program.root });
    expect(await other.run("--version")).toMatchObject({ status: 0 });
    expect(kept(program, ".")).not.toEqual([]);
    expect(existsSync(other.path(".cache"))).toBe(false);
  });

  it("serves threads, too", async () => {
    using program = new Program(OWN);
    writeFileSync(program.path("disk.raw"), "some bytes");
    const to = program.path("copy.raw");
    expect(await program.run("transfer", program.path("disk.raw"), to)).toMatchObject({ status: 0 });
    // Beside what is compiled stands its text: this is of the module that threads alone load.
    const texts = kept(program, ".cache").map((path) => readFileSync(path, "utf8"));
    expect(texts.filter((text) => text.includes("async function segment("))).toHaveLength(1);
  });

  it.each(["others", "the group"])("is not kept where %s can write", async (who) => {
    using program = new Program(OWN);
    chmodSync(program.root, who === "others" ? 0o702 : 0o720);
    expect(await program.run("--version")).toMatchObject({ status: 0, stderr: "" });
    expect(existsSync(program.path(".cache"))).toBe(false);
  });

  it.each([
    ["there is no home", "/nonexistent"],
    ["the home cannot be looked at", "/".padEnd(10_000, "x")],
  ])("is missed by nobody where %s", async (_where, HOME) => {
    using program = new Program({ ...OWN, HOME });
    expect(await program.run("--version")).toMatchObject({ status: 0, stderr: "" });
  });

  it("is missed by nobody where nothing can be written", async () => {
    using program = new Program(OWN);
    mkdirSync(program.path(".cache/diskferry"), { recursive: true });
    chmodSync(program.path(".cache/diskferry"), 0o500);
    expect(await program.run("--version")).toMatchObject({ status: 0, stderr: "" });
  });

  it("is not kept when Node is told not to", async () => {
    using program = new Program({ ...OWN, NODE_DISABLE_COMPILE_CACHE: "1" });
    expect(await program.run("--version")).toMatchObject({ status: 0 });
    expect(existsSync(program.path(".cache"))).toBe(false);
  });
});
