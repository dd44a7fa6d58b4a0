import { readFileSync, writeFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { KiB, MiB } from "../../../src/bytes/units.ts";
import { memorySource } from "../../../src/source/memory/memory.ts";
import { QEMU, QEMU_REASON, qemuImg, qemuIo } from "../../support/qemu.ts";
import { readGuest } from "../../support/reference.ts";
import { CONTENTS, noise } from "./contents.ts";
import { extentsOf, guestOf, listed, never, openImage, rawImage } from "./open.ts";
import { qemuGuest, scratch } from "./scratch.ts";

const file = scratch();

/** Writes of every kind that an image can hold, at places that fit its clusters. */
function writes(cluster: number, version: "0.10" | "1.1"): string[] {
  const at = (clusters: number, more = 0) => cluster * clusters + more;
  return [
    `write -P 0x11 0 ${at(3, 512)}`,
    `write -P 0x22 ${at(5, 1024 % cluster)} 512`,
    `write -P 0x33 ${at(8)} ${at(2)}`,
    `write -P 0x44 ${at(21)} ${at(9)}`,
    `write -c -P 0x55 ${at(12)} ${cluster}`,
    `write -c -P 0x66 ${at(13)} ${cluster}`,
    `discard ${at(9)} ${cluster}`,
    ...(version === "1.1" ? [`write -z ${at(22)} ${at(2)}`, `write -z -u ${at(15)} ${at(3)}`] : []),
    `write -P 0x77 ${at(1)} 512`,
    `write -P 0x88 ${at(31, 512 % cluster)} 512`,
  ];
}

function create(name: string, size: number, ...options: string[]): string {
  const path = file(name);
  qemuImg("create", "-q", "-f", "qcow2", ...options.flatMap((option) => ["-o", option]), path, String(size));
  return path;
}

async function expectSame(path: string, options = {}, ...args: string[]): Promise<void> {
  const guest = qemuGuest(path, ...args);
  // a step that no cluster divides: pieces begin and end inside of clusters
  for (const step of [undefined, 97 * 512]) {
    expect((await guestOf(path, options, step)).equals(guest)).toBe(true);
  }
}

describe(`images of qemu-img read as qemu-img reads them${QEMU_REASON}`, () => {
  for (const cluster of [512, 4 * KiB, 64 * KiB, 2 * MiB]) {
    for (const compat of ["0.10", "1.1"] as const) {
      it.skipIf(!QEMU)(`clusters of ${cluster}, compat ${compat}`, async () => {
        const path = create("a.qcow2", cluster * 40 + 512, `cluster_size=${cluster}`, `compat=${compat}`);
        qemuIo(path, "qcow2", ...writes(cluster, compat));
        await expectSame(path);
      });
    }
  }

  for (const type of ["zlib", "zstd"]) {
    for (const cluster of [512, 4 * KiB, 64 * KiB, 2 * MiB]) {
      for (const content of ["mixed", "compressible"] as const) {
        it.skipIf(!QEMU)(`${content} ${type} in clusters of ${cluster}`, async () => {
          const raw = file("a.raw");
          const path = file("a.qcow2");
          writeFileSync(raw, CONTENTS[content](Math.min(5 * MiB, cluster * 300) + 1024));
          const options = `cluster_size=${cluster},compression_type=${type}`;
          qemuImg("convert", "-c", "-f", "raw", "-O", "qcow2", "-o", options, raw, path);
          await expectSame(path);
          // several coroutines: streams out of guest order
          qemuImg("convert", "-c", "-W", "-m", "8", "-f", "raw", "-O", "qcow2", "-o", options, raw, path);
          await expectSame(path);
        });
      }
    }
  }

  for (const cluster of [16 * KiB, 64 * KiB, 2 * MiB]) {
    it.skipIf(!QEMU)(`extended L2 entries, clusters of ${cluster}`, async () => {
      const sub = cluster / 32;
      const path = create("e.qcow2", cluster * 40 + 512, "extended_l2=on", `cluster_size=${cluster}`);
      qemuIo(
        path,
        "qcow2",
        ...writes(cluster, "1.1"),
        `write -P 1 ${cluster * 33 + sub * 3} ${sub}`,
        `write -P 2 ${cluster * 33 + sub * 31} ${sub * 2}`,
        `write -z ${cluster * 33 + sub * 8} ${sub * 2}`,
        `write -z ${cluster * 35 + sub * 8} ${sub * 20}`,
        `write -P 3 ${cluster * 37} ${sub * 32}`,
        `write -z ${cluster * 37} ${sub * 5}`,
      );
      await expectSame(path);
    });
  }

  for (const bits of [1, 2, 4, 8, 16, 32, 64]) {
    it.skipIf(!QEMU)(`refcounts of ${bits} bits`, async () => {
      const path = create("b.qcow2", 4 * MiB, `refcount_bits=${bits}`, "cluster_size=4k");
      qemuIo(path, "qcow2", "write -P 9 1M 1M", "write -P 8 3M 5k");
      await expectSame(path);
    });
  }

  for (const mode of ["metadata", "falloc", "full"]) {
    it.skipIf(!QEMU)(`preallocation ${mode}`, async () => {
      const path = create("p.qcow2", 3 * MiB, `preallocation=${mode}`);
      qemuIo(path, "qcow2", "write -P 9 1M 100k");
      await expectSame(path);
    });
  }

  it.skipIf(!QEMU)("lazy refcounts", async () => {
    const path = create("l.qcow2", 3 * MiB, "lazy_refcounts=on");
    qemuIo(path, "qcow2", "write -P 9 1M 100k");
    await expectSame(path);
    const image = await openImage(readFileSync(path));
    expect(image.report().findings.map(({ name }) => name)).toEqual(["lazy_refcounts"]);
  });

  for (const size of [0, 512, 1024, 65536, 65536 + 512, 65 * MiB]) {
    it.skipIf(!QEMU)(`a disk of ${size} bytes`, async () => {
      const path = create("s.qcow2", size);
      if (size > 0) qemuIo(path, "qcow2", `write -P 7 ${size - 512} 512`);
      const image = await openImage(readFileSync(path));
      expect(image.virtualSize).toBe(size);
      const guest = await readGuest(image);
      expect(guest.equals(qemuGuest(path))).toBe(true);
    });
  }

  it.skipIf(!QEMU)("a file whose last cluster is cut reads zeros behind its end", async () => {
    const path = create("t.qcow2", 3 * MiB);
    qemuIo(path, "qcow2", "write -P 7 1M 128k");
    const bytes = readFileSync(path);
    writeFileSync(path, bytes.subarray(0, bytes.length - 60_000 - 336));
    await expectSame(path);
  });

  it.skipIf(!QEMU)("compressed data cut right behind its stream reads whole", async () => {
    const raw = file("cut.raw");
    const path = file("cut.qcow2");
    writeFileSync(raw, CONTENTS.compressible(64 * KiB));
    qemuImg("convert", "-c", "-f", "raw", "-O", "qcow2", raw, path);
    const bytes = readFileSync(path);
    let end = bytes.length;
    while (bytes[end - 1] === 0) end -= 1;
    expect(end).toBeLessThan(bytes.length);
    writeFileSync(path, bytes.subarray(0, end + 1));
    await expectSame(path);
  });
});

describe(`backing files${QEMU_REASON}`, () => {
  it.skipIf(!QEMU)("a chain reads through every level, and zeros behind a shorter backing file", async () => {
    const base = noise(5 * MiB - 512);
    writeFileSync(file("base.raw"), base);
    const middle = file("middle.qcow2");
    const top = file("top.qcow2");
    qemuImg("create", "-q", "-f", "qcow2", "-F", "raw", "-b", "base.raw", middle, "7M");
    qemuIo(middle, "qcow2", "write -P 1 1M 200k", "write -z 2M 64k", "write -P 2 6M 512");
    qemuImg(
      "create",
      "-q",
      "-f",
      "qcow2",
      "-o",
      "extended_l2=on",
      "-F",
      "qcow2",
      "-b",
      "middle.qcow2",
      top,
      "9M",
    );
    qemuIo(top, "qcow2", "write -P 3 0 512", "write -P 4 1M 3k", "write -P 5 8M 1M", "write -z 3M 4k");

    const gate = listed({
      backing: () =>
        openImage(readFileSync(middle), { gate: listed({ backing: async () => rawImage(base) }) }),
    });
    await expectSame(top, { gate });

    await using image = await openImage(readFileSync(top), { gate });
    expect(image.sources.map(({ size }) => size)).toEqual([
      readFileSync(top).length,
      readFileSync(middle).length,
      base.length,
    ]);
    expect(image.report().backing).toEqual({ name: "middle.qcow2", format: "qcow2" });
    expect(image.report().findings.map(({ name }) => name)).toEqual(["backing_file"]);
    expect(await extentsOf(image)).toEqual(qemuExtents(top));
  });

  it.skipIf(!QEMU)("a name that the request does not list is refused", async () => {
    const path = file("alone.qcow2");
    qemuImg("create", "-q", "-u", "-f", "qcow2", "-F", "raw", "-b", "/etc/passwd", path, "1M");
    await expect(openImage(readFileSync(path))).rejects.toMatchObject({ code: "REFERENCE_NOT_LISTED" });
  });

  it.skipIf(!QEMU)("what the gate has opened is closed with the image", async () => {
    const path = file("closing.qcow2");
    qemuImg("create", "-q", "-u", "-f", "qcow2", "-F", "raw", "-b", "x", path, "1M");
    let closed = 0;
    const gate = listed({
      backing: async () => ({
        ...rawImage(Buffer.alloc(5)),
        async [Symbol.asyncDispose]() {
          closed += 1;
        },
      }),
    });
    const image = await openImage(readFileSync(path), { gate });
    expect(closed).toBe(0);
    await image[Symbol.asyncDispose]();
    expect(closed).toBe(1);
  });
});

/** What qemu-img map tells of zeros and data, neighbours merged. */
function qemuExtents(path: string) {
  const rows = JSON.parse(qemuImg("map", "-f", "qcow2", "--output=json", path)) as {
    start: number;
    length: number;
    zero: boolean;
    data: boolean;
  }[];
  const merged: { kind: "zero" | "data"; offset: number; length: number }[] = [];
  for (const row of rows) {
    const kind = row.zero ? "zero" : "data";
    const last = merged.at(-1);
    if (last?.kind === kind) last.length += row.length;
    else merged.push({ kind, offset: row.start, length: row.length });
  }
  return merged;
}

describe(`data files${QEMU_REASON}`, () => {
  for (const raw of ["off", "on"]) {
    it.skipIf(!QEMU)(`an image with a data file reads it, data_file_raw=${raw}`, async () => {
      const data = file(`data-${raw}.bin`);
      const path = create(`data-${raw}.qcow2`, 3 * MiB + 512, `data_file=${data}`, `data_file_raw=${raw}`);
      qemuIo(path, "qcow2", "write -P 1 0 64k", "write -P 2 1M 100k", "write -P 3 3M 512", "write -z 1M 64k");
      let closed = 0;
      const gate = listed({
        dataFile: () => ({
          ...memorySource(readFileSync(data), data),
          async [Symbol.asyncDispose]() {
            closed += 1;
          },
        }),
      });
      await expectSame(path, { gate });
      expect(closed).toBe(2);
      await using image = await openImage(readFileSync(path), { gate });
      expect(image.report().dataFile).toBe(data);
      expect(image.report().findings.map(({ name }) => name)).toEqual(["data_file"]);
      await expect(openImage(readFileSync(path))).rejects.toMatchObject({ code: "REFERENCE_NOT_LISTED" });
    });
  }
});

describe(`internal snapshots${QEMU_REASON}`, () => {
  it.skipIf(!QEMU)("are found by name and by id and have a size of their own", async () => {
    const path = create("snap.qcow2", 2 * MiB, "cluster_size=4k");
    qemuIo(path, "qcow2", "write -P 1 0 1M");
    qemuImg("snapshot", "-c", "first", path);
    qemuIo(path, "qcow2", "write -P 2 512k 1M", "write -z 0 64k");
    qemuImg("resize", "-q", path, "3M");
    qemuImg("snapshot", "-c", "second", path);
    qemuIo(path, "qcow2", "write -P 3 2M 1M");

    await expectSame(path);
    await expectSame(path, { snapshot: "second" }, "-l", "second");
    // qemu-img gives a snapshot the size that the disk has now
    const first = qemuGuest(path, "-l", "first").subarray(0, 2 * MiB);
    expect((await guestOf(path, { snapshot: "first" })).equals(first)).toBe(true);
    expect((await guestOf(path, { snapshot: "1" })).equals(first)).toBe(true);
    const image = await openImage(readFileSync(path), { snapshot: "first" });
    expect(image.virtualSize).toBe(2 * MiB);
    expect(image.report().snapshots).toEqual([
      { id: "1", name: "first", virtualSize: 2 * MiB },
      { id: "2", name: "second", virtualSize: 3 * MiB },
    ]);
    await expect(openImage(readFileSync(path), { snapshot: "third" })).rejects.toMatchObject({
      code: "NOT_FOUND",
    });
  });

  it.skipIf(!QEMU)("of version 2 are read too", async () => {
    const path = create("snap2.qcow2", 2 * MiB, "compat=0.10");
    qemuIo(path, "qcow2", "write -P 1 0 1M");
    qemuImg("snapshot", "-c", "first", path);
    qemuIo(path, "qcow2", "write -P 2 512k 1M");
    await expectSame(path);
    await expectSame(path, { snapshot: "first" }, "-l", "first");
  });
});

describe(`what an open image tells${QEMU_REASON}`, () => {
  it.skipIf(!QEMU)("bitmaps and a saved machine state are findings", async () => {
    const path = create("bm.qcow2", MiB);
    qemuImg("bitmap", "--add", path, "b0");
    qemuImg("snapshot", "-c", "s", path);
    const bytes = readFileSync(path);
    const table = bytes.readUInt32BE(68);
    bytes.writeBigUInt64BE(12345n, table + 40);
    const image = await openImage(bytes);
    expect(image.report().findings.map(({ name }) => name)).toEqual([
      "bitmaps",
      "internal_snapshots",
      "vm_state_snapshot",
    ]);
  });

  it.skipIf(!QEMU)("extents agree with qemu-img map, whole and in parts", async () => {
    const path = create("ext.qcow2", 40 * 4096 + 512, "cluster_size=4k");
    qemuIo(path, "qcow2", ...writes(4096, "1.1"));
    const image = await openImage(readFileSync(path));
    const all = await extentsOf(image);
    expect(all).toEqual(qemuExtents(path));
    for (const [offset, length] of [
      [0, 1],
      [4095, 2],
      [4096 * 9 - 100, 5000],
      [4096 * 14, 4096 * 20],
      [4096 * 40 + 100, 412],
    ] as const) {
      const part = await extentsOf(image, { offset, length });
      const cut = all
        .map((extent) => {
          const start = Math.max(extent.offset, offset);
          const end = Math.min(extent.offset + extent.length, offset + length);
          return { ...extent, offset: start, length: end - start };
        })
        .filter((extent) => extent.length > 0);
      expect(part).toEqual(cut);
    }
  });

  it.skipIf(!QEMU)("runs that continue in the file are one piece", async () => {
    const path = create("run.qcow2", 4 * MiB);
    qemuIo(path, "qcow2", "write -P 1 1M 2M");
    const image = await openImage(readFileSync(path));
    const pieces = await image.pieces({ offset: 0, length: 4 * MiB }, never);
    expect(pieces.map(({ kind, length }) => [kind, length])).toEqual([
      ["zero", MiB],
      ["data", 2 * MiB],
      ["zero", MiB],
    ]);
  });
});
