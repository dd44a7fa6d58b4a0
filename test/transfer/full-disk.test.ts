import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { afterAll, describe, expect, it } from "vitest";
import { MiB } from "../../src/bytes/units.ts";
import { noise } from "../oracle/disk.ts";
import { makeWorld } from "../support/world.ts";

const world = await makeWorld("full-disk");
const { path } = world;
writeFileSync(path("disk.raw"), noise(12 * MiB));
const small = path("small");

/** A file system of 4 MiB, or the reason why there is none. */
function mount(): string | undefined {
  if (process.getuid?.() !== 0) return "only root may mount";
  mkdirSync(small);
  const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", "size=4m", "tmpfs", small], { encoding: "utf8" });
  if (mounted.status !== 0) return `mount: ${(mounted.stderr ?? mounted.error?.message ?? "fails").trim()}`;
  afterAll(() => {
    spawnSync("umount", [small]);
  });
  return undefined;
}

const reason = mount();
const REASON = reason === undefined ? "" : ` (skipped: ${reason})`;

describe.skipIf(reason !== undefined)(`a directory without room${REASON}`, () => {
  it.each(["raw", "qcow2", "vhd", "zvhd2"])("is told of as such, and left as it was: %s", async (format) => {
    writeFileSync(`${small}/other`, "other");
    const landed = world.transfer("disk.raw", `${small}/out`, { format, segment: MiB });
    await expect(landed).rejects.toMatchObject({
      code: "NO_SPACE",
      message: expect.stringMatching(/^[^\n]*\/small\/out: writing at \d+: no space left on device$/),
    });
    expect(readdirSync(small)).toEqual(["other"]);
    expect(readdirSync(world.engine.stateDirectory)).toEqual([]);
  });

  it("takes what fits", async () => {
    writeFileSync(path("little.raw"), noise(3 * MiB));
    await world.transfer("little.raw", `${small}/little.raw`);
    expect(statSync(`${small}/little.raw`).size).toBe(3 * MiB);
  });
});
