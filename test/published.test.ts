/** The files that are published: few that load fast, in place of those of src. */
import { execFile } from "node:child_process";
import { copyFileSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { digestOf, noise } from "./oracle/disk.ts";

const ROOT = join(import.meta.dirname, "..");
const directory = mkdtempSync(join(tmpdir(), "diskferry-published-"));
const run = promisify(execFile);
const disk = noise(300_000, 5);

beforeAll(async () => {
  copyFileSync(join(ROOT, "package.json"), join(directory, "package.json"));
  symlinkSync(join(ROOT, "node_modules"), join(directory, "node_modules"));
  const rolldown = join(ROOT, "node_modules", ".bin", "rolldown");
  await run(rolldown, ["-c", ".rolldown.config.mjs", "--dir", join(directory, "dist")], { cwd: ROOT });
  writeFileSync(join(directory, "disk.raw"), disk);
});
afterAll(() => rmSync(directory, { recursive: true }));

/** The guest digest of a transfer. */
async function transferred(...engine: readonly string[]): Promise<unknown> {
  const { stdout } = await run(
    process.execPath,
    [
      ...engine,
      join("dist", "main.js"),
      ...["transfer", "disk.raw", "disk.qcow2", "--source-format", "raw", "--format", "qcow2"],
      ...["--overwrite", "--verify", "--json"],
    ],
    { cwd: directory, env: { ...process.env, XDG_STATE_HOME: join(directory, "state") } },
  );
  const last: unknown = JSON.parse(stdout.trim().split("\n").at(-1) ?? "");
  return (last as { readonly guestDigest?: unknown }).guestDigest;
}

test("they transfer", async () => {
  expect(await transferred()).toBe(digestOf(disk));
});

test.skipIf(process.arch !== "x64")(
  "where the engine has no SIMD they do it as well (x64 only: other processors always have it)",
  async () => {
    expect(await transferred("--no-enable-sse4-1")).toBe(digestOf(disk));
  },
);

test("a thread loads no digest but those of its engine", async () => {
  const thread = `
    await import("./dist/entry.js");
    const { createRequire } = await import("node:module");
    console.log(Object.keys(createRequire(process.cwd() + "/").cache).filter((file) => file.includes("hash-wasm")).length);
  `;
  const { stdout } = await run(process.execPath, ["--input-type=module", "--eval", thread], {
    cwd: directory,
  });
  expect(stdout).toBe("0\n");
});
