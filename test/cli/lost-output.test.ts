/** Output that a full disk did not take. */
import { existsSync, writeFileSync } from "node:fs";
import { afterAll, expect, it } from "vitest";
import { noise } from "../oracle/disk.ts";
import { Program } from "./program.ts";

const program = new Program();
afterAll(() => program[Symbol.dispose]());
writeFileSync(program.path("disk.raw"), noise(3_000_000));

it.each([[["inspect", "disk.raw"]], [["--help"]], [["transfer", "disk.raw", "out.raw", "--json"]]])(
  "%j to a full disk ends with status 1, and one line says why",
  async (args) => {
    expect(await program.runBy('"$@" > /dev/full', ...args)).toMatchObject({
      status: 1,
      stderr: "diskferry: standard output: no space left on device [NO_SPACE]\n",
    });
  },
);

it("a transfer whose output is lost does its work all the same", async () => {
  await program.runBy('"$@" > /dev/full', "transfer", "disk.raw", "kept.raw", "--json");
  expect(existsSync(program.path("kept.raw"))).toBe(true);
});

it("a reader that has left is no failure", async () => {
  expect(await program.runBy('"$@" > >(true)', "inspect", "disk.raw")).toMatchObject({
    status: 0,
    stderr: "",
  });
});
