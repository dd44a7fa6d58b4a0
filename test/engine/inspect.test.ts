import { statSync, writeFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { GiB, KiB, MiB } from "../../src/bytes/units.ts";
import { inspect } from "../../src/engine/inspect.ts";
import type { ImageRequest } from "../../src/engine/open-image.ts";
import { handMade } from "../format/vhd/hand-made.ts";
import { digestOf, makeDisk, writeSparse } from "../oracle/disk.ts";
import { QEMU, QEMU_REASON, qemuImg, qemuIo } from "../support/qemu.ts";
import { makeWorld } from "../support/world.ts";

const never = new AbortController().signal;
const world = await makeWorld("inspect");
const { path, image } = world;

const SIZE = 8 * MiB + 512;
const disk = Buffer.concat([makeDisk(3 * MiB), Buffer.alloc(SIZE - 3 * MiB)]);
writeSparse(path("disk.raw"), disk);

const look = (name: string, more: Partial<ImageRequest> = {}, digest: "compute" | "omit" = "omit") =>
  inspect(image(name, more), digest, world.engine, never);

describe("a look at an image", () => {
  it("tells the same guest digest in every format", async () => {
    for (const format of ["raw", "qcow2", "vhd", "vhd-fixed", "zvhd", "zvhd2"]) {
      const to = `out.${format}`;
      await world.transfer("disk.raw", to, { format });
      const seen = await look(to, {}, "compute");
      expect([format, seen.guestDigest]).toEqual([format, digestOf(disk)]);
      expect(seen).toMatchObject({
        name: path(to),
        fileSize: statSync(path(to)).size,
        virtualSize: format.startsWith("zvhd") ? GiB : SIZE,
      });
      expect(seen.allocated).toBeGreaterThanOrEqual(MiB);
      // A fixed VHD has no tables: only the file system's holes tell what is zeros.
      if (format !== "vhd-fixed") expect(seen.allocated).toBeLessThan(SIZE);
    }
  });

  it("computes no digest unless it is asked to", async () => {
    expect(await look("disk.raw")).not.toHaveProperty("guestDigest");
  });

  it.skipIf(!QEMU)(
    `tells clusters, compression, features and snapshots of a qcow2${QEMU_REASON}`,
    async () => {
      const options = ["-o", "cluster_size=4k,compression_type=zstd,lazy_refcounts=on"];
      qemuImg("convert", "-c", "-f", "raw", "-O", "qcow2", ...options, path("disk.raw"), path("a.qcow2"));
      qemuImg("snapshot", "-c", "before", path("a.qcow2"));
      expect(await look("a.qcow2")).toMatchObject({
        format: "qcow2",
        variant: "v3",
        unit: 4 * KiB,
        compression: "zstd",
        virtualSize: SIZE,
        snapshots: [{ id: "1", name: "before", virtualSize: SIZE }],
        findings: expect.arrayContaining([expect.objectContaining({ name: "lazy_refcounts" })]),
      });
    },
  );

  it.skipIf(!QEMU)(
    `shows a backing file that is not listed, and follows one that is${QEMU_REASON}`,
    async () => {
      qemuImg("create", "-q", "-f", "qcow2", "-F", "raw", "-b", "disk.raw", path("top.qcow2"));
      qemuIo(path("top.qcow2"), "qcow2", "write -P 1 4M 64k");
      const alone = await look("top.qcow2");
      expect(alone).toMatchObject({ backing: { name: "disk.raw", format: "raw" }, allocated: 64 * KiB });
      await expect(look("top.qcow2", {}, "compute")).rejects.toMatchObject({
        code: "REFERENCE_NOT_LISTED",
        message: `${path("top.qcow2")}: names the backing file "disk.raw", which is opened only when the request lists it: add --backing PATH`,
      });
      const both = await look("top.qcow2", { backing: [path("disk.raw")] }, "compute");
      expect(both.allocated).toBeGreaterThan(MiB);
      const merged = Buffer.from(disk).fill(1, 4 * MiB, 4 * MiB + 65536);
      expect(both.guestDigest).toBe(digestOf(merged));
    },
  );

  it("shows a parent that is not listed, and does not follow it", async () => {
    const name = "parent.vhd";
    const child = handMade({
      type: 4,
      size: 3 * 4096,
      uuid: "02".repeat(16),
      blocks: new Map([[1, { data: Buffer.alloc(4096, 7) }]]),
      parent: { uuid: "01".repeat(16), timestamp: 1000, name },
    });
    writeFileSync(path("child.vhd"), child);
    expect(await look("child.vhd")).toMatchObject({
      format: "vhd",
      virtualSize: 3 * 4096,
      backing: { name, format: "vhd" },
      allocated: 4096,
    });
    await expect(look("child.vhd", {}, "compute")).rejects.toMatchObject({ code: "REFERENCE_NOT_LISTED" });
    await expect(look("child.vhd", { backing: [path("disk.raw")] })).rejects.toMatchObject({
      code: "FORMAT_MISMATCH",
    });
  });

  it.skipIf(!QEMU)(`shows a data file that is not listed, and what lies in it${QEMU_REASON}`, async () => {
    const dataFile = path("data.raw");
    for (const external of [`data_file=${dataFile}`, `data_file=${dataFile},data_file_raw=on`]) {
      qemuImg("create", "-q", "-f", "qcow2", "-o", external, path("external.qcow2"), "8M");
      qemuIo(path("external.qcow2"), "qcow2", "write -P 1 4M 64k");
      const seen = await look("external.qcow2");
      expect(seen).toMatchObject({ virtualSize: 8 * MiB, dataFile });
      expect(seen.allocated).toBeGreaterThanOrEqual(64 * KiB);
      await expect(look("external.qcow2", {}, "compute")).rejects.toMatchObject({
        code: "REFERENCE_NOT_LISTED",
      });
    }
  });

  it.skipIf(!QEMU)(`refuses what it cannot read, by name${QEMU_REASON}`, async () => {
    for (const [format, name] of [
      ["vmdk", "VMDK"],
      ["vdi", "VDI"],
      ["vhdx", "VHDX"],
      ["qed", "QED"],
    ] as const) {
      qemuImg("create", "-q", "-f", format, path(`x.${format}`), "1M");
      await expect(look(`x.${format}`)).rejects.toMatchObject({
        code: "UNSUPPORTED_FORMAT",
        message: `${path(`x.${format}`)}: is a ${name} image, which diskferry does not read; convert it to qcow2 or raw first`,
      });
    }
  });
});
