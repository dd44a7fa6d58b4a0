/** Output that a full disk did not take. */
import { spawnSync } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { noise } from "../oracle/disk.ts";
import { Program } from "./program.ts";

const MAIN = join(import.meta.dirname, "../../src/main.ts");
const program = new Program();
afterAll(() => program[Symbol.dispose]());
writeFileSync(program.path("disk.raw"), noise(3_000_000));

function run(redirection: string, ...args: string[]): { status: number | null; stderr: string } {
  const { status, stderr } = spawnSync(
    "bash",
    ["-c", `"$0" "$@" ${redirection}`, process.execPath, MAIN, ...args],
    {
      cwd: program.root,
      env: { ...process.env, HOME: program.root, XDG_STATE_HOME: program.path("state") },
      encoding: "utf8",
    },
  );
  return { status, stderr };
}

it.each([[["inspect", "disk.raw"]], [["--help"]], [["transfer", "disk.raw", "out.raw", "--json"]]])(
  "%j to a full disk ends with status 1, and one line says why",
  (args) => {
    expect(run("> /dev/full", ...args)).toEqual({
      status: 1,
      stderr: "diskferry: standard output: no space left on device [NO_SPACE]\n",
    });
  },
);

it("a transfer whose output is lost does its work all the same", () => {
  run("> /dev/full", "transfer", "disk.raw", "kept.raw", "--json");
  expect(existsSync(program.path("kept.raw"))).toBe(true);
});

it("a reader that has left is no failure", () => {
  expect(run("> >(true)", "inspect", "disk.raw")).toEqual({ status: 0, stderr: "" });
});
