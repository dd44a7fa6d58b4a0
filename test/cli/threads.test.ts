import { spawnSync } from "node:child_process";
import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { noise } from "../oracle/disk.ts";
import { Program } from "./program.ts";

const MAIN = join(import.meta.dirname, "../../src/main.ts");
const program = new Program();
afterAll(() => program[Symbol.dispose]());

it("a host that does not give as many open files as the threads need is told in one line, and nothing is left", () => {
  writeFileSync(program.path("disk.raw"), noise(3_000_000));
  const command = 'ulimit -n 100 && exec "$0" "$@"';
  const args = [process.execPath, MAIN, "transfer", "disk.raw", "out.raw", "--threads", "64"];
  const { status, stderr } = spawnSync("sh", ["-c", command, ...args], {
    cwd: program.root,
    env: { ...process.env, HOME: program.root, XDG_STATE_HOME: program.path("state") },
    encoding: "utf8",
  });
  expect([status, stderr]).toEqual([1, expect.stringMatching(/^diskferry: .+ \[IO\]\n$/)]);
  expect(readdirSync(program.root)).not.toContain("out.raw");
});
