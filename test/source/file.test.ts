import { execFileSync, spawnSync } from "node:child_process";
import { once } from "node:events";
import { createReadStream, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { appendFile, open, rename, truncate, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it, vi } from "vitest";
import type { Extent } from "../../src/bytes/range.ts";
import { KiB, MiB } from "../../src/bytes/units.ts";
import { hasLibc } from "../../src/native/libc.ts";
import { openFile } from "../../src/source/file/file.ts";
import { openRecipe } from "../../src/source/recipe.ts";
import type { Source } from "../../src/source/source.ts";
import { QEMU, QEMU_REASON, qemuImg } from "../support/qemu.ts";

const never = new AbortController().signal;
const directory = mkdtempSync(join(tmpdir(), "diskferry-file-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));
const path = (name: string) => join(directory, name);

const HOLES_REASON = hasLibc() ? "" : " (skipped: the C library cannot be called here)";

/** A sparse file of `size` bytes with the given runs of 0x55. */
async function sparse(
  name: string,
  size: number,
  runs: readonly (readonly [number, number])[],
): Promise<string> {
  const file = await open(path(name), "w");
  await file.truncate(size);
  for (const [offset, length] of runs) await file.write(Buffer.alloc(length, 0x55), 0, length, offset);
  await file.sync();
  await file.close();
  return path(name);
}

async function extentsOf(source: Source, range = { offset: 0, length: source.size }): Promise<Extent[]> {
  const all: Extent[] = [];
  for await (const extent of source.extents?.(range, never) ?? []) all.push(extent);
  return all;
}

describe("a file", () => {
  it("reads any range, many at once, and nothing past its end", async () => {
    const bytes = Buffer.from(Array.from({ length: 100_000 }, (_, i) => (i * 7) % 251));
    await writeFile(path("a.raw"), bytes);
    await using source = await openFile(path("a.raw"));
    expect([source.size, source.name]).toEqual([100_000, path("a.raw")]);
    await Promise.all(
      [0, 1, 65_535, 99_000, 99_999, 100_000].map(async (position) => {
        const into = new Uint8Array(Math.min(1000, 100_000 - position));
        await source.read(into, position, never);
        expect(bytes.subarray(position, position + 1000).equals(into)).toBe(true);
      }),
    );
    for (const [length, position] of [
      [2, 99_999],
      [1, 100_000],
      [1, -1],
    ] as const) {
      await expect(source.read(new Uint8Array(length), position, never)).rejects.toMatchObject({
        code: "IMAGE_TRUNCATED",
        message: `${path("a.raw")}: ends at 100000, but ${length} bytes are needed at ${position}`,
      });
    }
  });

  it("of no bytes has no extents", async () => {
    await writeFile(path("empty.raw"), "");
    await using source = await openFile(path("empty.raw"));
    expect([source.size, await extentsOf(source)]).toEqual([0, []]);
    await source.read(new Uint8Array(0), 0, never);
  });

  it.skipIf(!hasLibc())(`shows its holes${HOLES_REASON}`, async () => {
    const file = await sparse("holes.raw", 8 * MiB + 512, [
      [0, 64 * KiB],
      [2 * MiB, 64 * KiB],
      [2 * MiB + 64 * KiB, 64 * KiB],
      [8 * MiB, 512],
    ]);
    await using source = await openFile(file);
    expect(await extentsOf(source)).toEqual([
      { kind: "data", offset: 0, length: 64 * KiB },
      { kind: "zero", offset: 64 * KiB, length: 2 * MiB - 64 * KiB },
      { kind: "data", offset: 2 * MiB, length: 128 * KiB },
      { kind: "zero", offset: 2 * MiB + 128 * KiB, length: 6 * MiB - 128 * KiB },
      { kind: "data", offset: 8 * MiB, length: 512 },
    ]);
    expect(await extentsOf(source, { offset: 10_000, length: 100_000 })).toEqual([
      { kind: "data", offset: 10_000, length: 64 * KiB - 10_000 },
      { kind: "zero", offset: 64 * KiB, length: 110_000 - 64 * KiB },
    ]);
    expect(await extentsOf(source, { offset: 3 * MiB, length: MiB })).toEqual([
      { kind: "zero", offset: 3 * MiB, length: MiB },
    ]);
  });

  it.skipIf(!hasLibc())(`that is one hole is zeros to its end${HOLES_REASON}`, async () => {
    await using source = await openFile(await sparse("hole.raw", 3 * MiB + 1, []));
    expect(await extentsOf(source)).toEqual([{ kind: "zero", offset: 0, length: 3 * MiB + 1 }]);
  });

  it.skipIf(!QEMU || !hasLibc())(
    `has the extents that qemu-img map finds${QEMU_REASON}${HOLES_REASON}`,
    async () => {
      const runs = Array.from({ length: 40 }, (_, i) => [i * 177 * KiB, 4 * KiB * (1 + (i % 9))] as const);
      const file = await sparse("map.raw", 16 * MiB, runs);
      const map = JSON.parse(qemuImg("map", "--output=json", "-f", "raw", file)) as {
        start: number;
        length: number;
        zero: boolean;
      }[];
      await using source = await openFile(file);
      expect(await extentsOf(source)).toEqual(
        map.map(({ start, length, zero }) => ({ kind: zero ? "zero" : "data", offset: start, length })),
      );
    },
  );

  it.skipIf(!hasLibc())(`tells the same of a range whatever was asked before${HOLES_REASON}`, async () => {
    const runs = Array.from({ length: 60 }, (_, i) => [i * 177 * KiB, 4 * KiB * (1 + (i % 9))] as const);
    const file = await sparse("order.raw", 16 * MiB, runs);
    const asks = Array.from({ length: 200 }, (_, i) => {
      const offset = (i * 7_919_777) % (16 * MiB - 1);
      return { offset, length: Math.min(16 * MiB - offset, 1 + ((i * 104_729) % MiB)) };
    });
    await using source = await openFile(file);
    for (const [index, range] of asks.entries()) {
      if (index === 100) await extentsOf(source);
      await using fresh = await openFile(file);
      expect(await extentsOf(source, range)).toEqual(await extentsOf(fresh, range));
    }
  });

  it.each([
    ["grew", () => appendFile(path("c.raw"), "more")],
    ["shrank", () => truncate(path("c.raw"), 5_000)],
    ["was written to", () => writeFile(path("c.raw"), Buffer.alloc(10_000, 2))],
    ["has another modification time", () => utimes(path("c.raw"), 1, 1)],
  ])("that %s is not the pinned version any more", async (_what, change) => {
    await writeFile(path("c.raw"), Buffer.alloc(10_000, 1));
    await using source = await openFile(path("c.raw"));
    await source.check(never);
    const recipe = await source.recipe(never);
    await change();
    const changed = {
      code: "SOURCE_CHANGED",
      message: `${path("c.raw")}: changed while it was read; stop its writers and start again`,
    };
    await expect(source.check(never)).rejects.toMatchObject(changed);
    await expect(openRecipe(recipe)).rejects.toMatchObject(changed);
  });

  it("that shrinks under a read is changed, not read as zeros", async () => {
    await writeFile(path("d.raw"), Buffer.alloc(10_000, 1));
    await using source = await openFile(path("d.raw"));
    await truncate(path("d.raw"), 5_000);
    await expect(source.read(new Uint8Array(10_000), 0, never)).rejects.toMatchObject({
      code: "SOURCE_CHANGED",
    });
  });

  it("replaced by another file of its size is another version", async () => {
    await writeFile(path("e.raw"), Buffer.alloc(10_000, 1));
    await using source = await openFile(path("e.raw"));
    const recipe = await source.recipe(never);
    await writeFile(path("f.raw"), Buffer.alloc(10_000, 2));
    await rename(path("f.raw"), path("e.raw"));
    await expect(openRecipe(recipe)).rejects.toMatchObject({ code: "SOURCE_CHANGED" });
    // The open descriptor still is the old file, whole.
    const into = new Uint8Array(10_000);
    await source.read(into, 0, never);
    expect(into.every((byte) => byte === 1)).toBe(true);
  });

  it("is opened again from its recipe, also by a relative name", async () => {
    await writeFile(path("g.raw"), "0123456789");
    await using source = await openFile(path("g.raw"));
    const recipe = await source.recipe(never);
    await using again = await openRecipe(structuredClone(recipe));
    const into = new Uint8Array(3);
    await again.read(into, 4, never);
    expect(Buffer.from(into).toString()).toBe("456");
    expect([again.version, again.size]).toEqual([source.version, 10]);
  });
});

describe("what is no file", () => {
  it("is refused: nothing there, a directory", async () => {
    await expect(openFile(path("absent.raw"))).rejects.toMatchObject({
      code: "NOT_FOUND",
      message: `${path("absent.raw")}: no such file or directory`,
    });
    await expect(openFile(directory)).rejects.toMatchObject({
      code: "USAGE",
      message: `${directory}: is a directory; name an image file or a block device, or - for standard input`,
    });
  });

  it("is refused at once: a pipe that nobody writes to", async () => {
    execFileSync("mkfifo", [path("pipe")]);
    await expect(openFile(path("pipe"))).rejects.toMatchObject({
      code: "USAGE",
      message: expect.stringContaining("is neither a file nor a block device"),
    });
  });

  it("is refused: a character device", async () => {
    await expect(openFile("/dev/zero")).rejects.toMatchObject({ code: "USAGE" });
  });
});

/** A loop device over a file, or the reason why there is none. */
function loopDevice(file: string): { readonly device: string } | { readonly reason: string } {
  if (process.getuid?.() !== 0) return { reason: "only root may set up a loop device" };
  const set = spawnSync("losetup", ["--find", "--show", file], { encoding: "utf8" });
  if (set.status !== 0) return { reason: `losetup: ${(set.stderr ?? set.error?.message ?? "fails").trim()}` };
  return { device: set.stdout.trim() };
}

writeFileSync(path("disk.raw"), Buffer.alloc(MiB, 0x61));
const loop = loopDevice(path("disk.raw"));
afterAll(() => {
  if ("device" in loop) spawnSync("losetup", ["--detach", loop.device]);
});
const LOOP_REASON = "device" in loop ? "" : ` (skipped: ${loop.reason})`;

describe.skipIf(!("device" in loop))(`a block device${LOOP_REASON}`, () => {
  const device = "device" in loop ? loop.device : "";

  it("has the size of the device and reads as it does", async () => {
    await using source = await openFile(device);
    expect(source.size).toBe(MiB);
    const into = new Uint8Array(4096);
    await source.read(into, MiB - 4096, never);
    expect(into.every((byte) => byte === 0x61)).toBe(true);
    await source.check(never);
    expect((await extentsOf(source)).reduce((sum, extent) => sum + extent.length, 0)).toBe(MiB);
    await using again = await openRecipe(await source.recipe(never));
    expect(again.size).toBe(MiB);
  });

  /** Whoever watches devices may have it open for a moment more. */
  async function attach(file: string): Promise<void> {
    execFileSync("losetup", ["--detach", device]);
    await vi.waitFor(() => execFileSync("losetup", [device, file], { stdio: "pipe" }), 10_000);
  }

  it("is another source once another disk of the same size is behind its name", async () => {
    const recipe = await (async () => {
      await using source = await openFile(device);
      await using again = await openFile(device);
      expect(again.version).toBe(source.version);
      return source.recipe(never);
    })();
    writeFileSync(path("other.raw"), Buffer.alloc(MiB, 0x62));
    await attach(path("other.raw"));
    try {
      const opened = openRecipe(recipe).then((source) => source[Symbol.asyncDispose]());
      await expect(opened).rejects.toMatchObject({ code: "SOURCE_CHANGED" });
    } finally {
      await attach(path("disk.raw"));
    }
  });

  it("reads the same as a stream of it", async () => {
    const stream = createReadStream(device);
    const [first] = (await once(stream, "data")) as [Buffer];
    stream.destroy();
    await using source = await openFile(device);
    const into = new Uint8Array(first.length);
    await source.read(into, 0, never);
    expect(first.equals(into)).toBe(true);
  });
});
