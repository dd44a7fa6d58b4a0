import {
  closeSync,
  fstatSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { alignUp, GiB, MiB } from "../../../src/bytes/units.ts";
import { geometryFor } from "../../../src/format/vhd/geometry.ts";
import { vhd, vhdFixed } from "../../../src/format/vhd/vhd.ts";
import { memorySource } from "../../../src/source/memory/memory.ts";
import type { Source } from "../../../src/source/source.ts";
import { closedGate } from "../../support/gate.ts";
import { QEMU, QEMU_REASON, qemuImg, qemuIo } from "../../support/qemu.ts";
import { readGuest, writeImage } from "../../support/reference.ts";
import { noise, sparseDisk } from "./patterns.ts";
import { writeSparse } from "./sparse-image.ts";

const never = new AbortController().signal;
const SIZES = {
  "one sector": 512,
  "a sector short of a block": 2 * MiB - 512,
  "a block": 2 * MiB,
  "a sector more than a block": 2 * MiB + 512,
  "an odd number of sectors": 7 * MiB + 3 * 512,
} as const;

let dir = "";
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), "vhd-oracle-"));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const path = (name: string) => join(dir, name);
const open = (bytes: Uint8Array, reader = vhd.reader) =>
  reader.open(
    { source: memorySource(bytes, "test.vhd"), gate: closedGate, allowAmplification: false },
    never,
  );
const info = (file: string) =>
  JSON.parse(qemuImg("info", "-f", "vpc", "--output=json", file)) as { "virtual-size": number };

describe.skipIf(!QEMU)(`VHD as qemu-img writes it${QEMU_REASON}`, () => {
  for (const subformat of ["dynamic", "fixed"] as const) {
    for (const force of ["on", "off"] as const) {
      test.for(Object.entries(SIZES))(
        `${subformat}, force_size=${force}: %s reads back`,
        async ([, size]) => {
          const guest = sparseDisk(size);
          writeFileSync(path("in.raw"), guest);
          const options = `subformat=${subformat},force_size=${force}`;
          qemuImg("convert", "-f", "raw", "-O", "vpc", "-o", options, path("in.raw"), path("q.vhd"));
          const image = await open(readFileSync(path("q.vhd")));
          expect(image.virtualSize).toBe(info(path("q.vhd"))["virtual-size"]);
          expect(image.report().variant).toBe(subformat);
          const expected = Buffer.concat([guest, Buffer.alloc(image.virtualSize - size)]);
          expect((await readGuest(image)).equals(expected)).toBe(true);
        },
      );
    }
  }

  test.for(["1M", "10M", "60M", "200M", "400M", "1G", "8G", "40G", "120G", "200G"])(
    "the geometry of a %s disk is the one that we would write",
    async (size) => {
      qemuImg("create", "-q", "-f", "vpc", path("chs.vhd"), size);
      const footer = readFileSync(path("chs.vhd")).subarray(0, 512);
      expect(geometryFor(Number(footer.readBigUInt64BE(48)) / 512)).toEqual({
        cylinders: footer.readUInt16BE(56),
        heads: footer.readUInt8(58),
        sectors: footer.readUInt8(59),
      });
    },
  );

  test("a new empty disk reads as zeros without any data piece", async () => {
    qemuImg("create", "-q", "-f", "vpc", path("empty.vhd"), "40M");
    const image = await open(readFileSync(path("empty.vhd")));
    const whole = { offset: 0, length: image.virtualSize };
    expect(await image.pieces(whole, never)).toEqual([{ kind: "zero", length: image.virtualSize }]);
  });

  test("blocks that qemu-io wrote out of order are found", async () => {
    qemuImg("create", "-q", "-f", "vpc", "-o", "force_size=on", path("io.vhd"), "20M");
    qemuIo(path("io.vhd"), "vpc", "write -P 3 11M 5000", "write -P 4 512 512", "write -P 5 5M 4M");
    qemuImg("convert", "-f", "vpc", "-O", "raw", path("io.vhd"), path("io.raw"));
    const image = await open(readFileSync(path("io.vhd")));
    expect((await readGuest(image, 3 * MiB)).equals(readFileSync(path("io.raw")))).toBe(true);
  });

  test.for(["on", "off"])(
    "a disk beyond the largest geometry keeps its size (force_size=%s)",
    async (force) => {
      qemuImg("create", "-q", "-f", "vpc", "-o", `force_size=${force}`, path("large.vhd"), "200G");
      qemuIo(path("large.vhd"), "vpc", "write -P 9 199G 1M");
      const image = await open(readFileSync(path("large.vhd")));
      expect(image.virtualSize).toBe(info(path("large.vhd"))["virtual-size"]);
      const extents = [];
      for await (const extent of image.extents({ offset: 0, length: image.virtualSize }, never))
        extents.push(extent);
      expect(extents.map(({ kind, offset }) => [kind, offset])).toEqual([
        ["zero", 0],
        ["data", 199 * GiB],
        ["zero", 199 * GiB + 2 * MiB],
      ]);
    },
  );
});

test.skipIf(!QEMU)(`a fixed disk of 200 GiB is opened by its footer alone${QEMU_REASON}`, async () => {
  qemuImg("create", "-q", "-f", "vpc", "-o", "subformat=fixed", path("fixed.vhd"), "200G");
  const file = openSync(path("fixed.vhd"), "r");
  let bytes = 0;
  const source: Source = {
    ...memorySource(new Uint8Array(0), "fixed.vhd"),
    size: fstatSync(file).size,
    async read(into, position) {
      bytes += readSync(file, into, 0, into.length, position);
    },
  };
  const image = await vhd.reader.open({ source, gate: closedGate, allowAmplification: false }, never);
  closeSync(file);
  expect(image.virtualSize).toBe(info(path("fixed.vhd"))["virtual-size"]);
  expect(image.virtualSize).toBeGreaterThanOrEqual(200 * GiB);
  expect(bytes).toBeLessThan(4096);
});

describe.skipIf(!QEMU)(`VHD as we write it, read by qemu-img${QEMU_REASON}`, () => {
  for (const format of [vhd, vhdFixed]) {
    test.for([...Object.entries(SIZES), ["not a whole sector", 3 * MiB + 100] as const])(
      `${format.name}: %s is the same disk, of exact size`,
      async ([, size]) => {
        const guest = sparseDisk(size, 5);
        writeFileSync(path("o.raw"), guest);
        const written = await writeImage(format.writer, guest, { compression: "none" });
        writeFileSync(path("o.vhd"), written);
        expect(qemuImg("compare", "-f", "raw", "-F", "vpc", path("o.raw"), path("o.vhd"))).toContain(
          "identical",
        );
        expect(info(path("o.vhd"))["virtual-size"]).toBe(alignUp(size, 512));
        const image = await open(written, format.reader);
        expect((await readGuest(image)).subarray(0, size).equals(guest)).toBe(true);
        expect(image.format).toBe(format.name);
      },
    );

    test(`${format.name}: rounding up to 1 MiB gives what Azure takes`, async () => {
      const guest = sparseDisk(3 * MiB + 512, 6);
      writeFileSync(path("r.raw"), guest);
      truncateSync(path("r.raw"), 4 * MiB);
      const written = await writeImage(format.writer, guest, { compression: "none", roundTo: MiB });
      writeFileSync(path("r.vhd"), written);
      expect(info(path("r.vhd"))["virtual-size"]).toBe(4 * MiB);
      expect(qemuImg("compare", "-f", "raw", "-F", "vpc", path("r.raw"), path("r.vhd"))).toContain(
        "identical",
      );
    });
  }

  test.for([0, 5 * MiB])(
    "a sparse 200 GiB disk with a head of at least %i bytes is right",
    async (atLeast) => {
      const units = new Map([0, 77, 102_399].map((unit) => [unit, noise(2 * MiB, unit)]));
      const written = await writeSparse(
        vhd.writer,
        { virtualSize: 200 * GiB, compression: "none", seed: Uint8Array.of(1) },
        units,
        atLeast,
      );
      writeFileSync(path("s.vhd"), written);
      qemuImg("create", "-q", "-f", "raw", path("s.raw"), "200G");
      for (const [unit, bytes] of units) {
        writeFileSync(path("unit"), bytes);
        qemuIo(path("s.raw"), "raw", `write -q -s ${path("unit")} ${unit * 2 * MiB} 2M`);
      }
      expect(qemuImg("compare", "-f", "raw", "-F", "vpc", path("s.raw"), path("s.vhd"))).toContain(
        "identical",
      );
      expect(info(path("s.vhd"))["virtual-size"]).toBe(200 * GiB);
    },
  );

  test("qemu-img goes on writing in our dynamic disk without damage", async () => {
    const guest = sparseDisk(9 * MiB);
    writeFileSync(path("w.vhd"), await writeImage(vhd.writer, guest, { compression: "none" }));
    qemuIo(path("w.vhd"), "vpc", "write -P 7 6M 1M");
    guest.fill(7, 6 * MiB, 7 * MiB);
    const image = await open(readFileSync(path("w.vhd")));
    expect((await readGuest(image)).equals(guest)).toBe(true);
  });
});
