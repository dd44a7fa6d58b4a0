/** Compiled code is kept between starts, where nobody else can put code of his own. */
import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, globSync, mkdirSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { Program } from "./program.ts";

const MODULE = new URL("../../src/compile-cache.ts", import.meta.url).href;

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

  it("is kept by threads, too", () => {
    using program = new Program();
    const script = `
      import { getCompileCacheDir } from "node:module";
      import { Worker } from "node:worker_threads";
      const { keepCompiledCode } = await import(${JSON.stringify(MODULE)});
      keepCompiledCode(process.env);
      const thread = 'console.log(process.getBuiltinModule("node:module").getCompileCacheDir())';
      console.log(getCompileCacheDir());
      new Worker(thread, { eval: true });`;
    const env = { PATH: process.env["PATH"], HOME: program.root };
    const said = execFileSync(process.execPath, ["--input-type=module", "-e", script], {
      env,
      encoding: "utf8",
    });
    const [main, thread] = said.trim().split("\n");
    expect(main).toMatch(program.path(".cache/diskferry/compiled"));
    expect(thread).toBe(main);
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
