import { readdirSync, writeFileSync } from "node:fs";
import { afterAll, expect, it } from "vitest";
import { noise } from "../oracle/disk.ts";
import { Program } from "./program.ts";

const program = new Program();
afterAll(() => program[Symbol.dispose]());

it("a host that does not give as many open files as the threads need is told in one line, and nothing is left", async () => {
  writeFileSync(program.path("disk.raw"), noise(3_000_000));
  const args = ["transfer", "disk.raw", "out.raw", "--threads", "64"];
  const { status, stderr } = await program.runBy('ulimit -n 100 && exec "$@"', ...args);
  expect([status, stderr]).toEqual([1, expect.stringMatching(/^diskferry: .+ \[IO\]\n$/)]);
  expect(readdirSync(program.root)).not.toContain("out.raw");
});
