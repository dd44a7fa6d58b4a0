import { writeFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { FaultCode } from "../../../src/fault/fault.ts";
import { qcow2 } from "../../../src/format/qcow2/qcow2.ts";
import { memorySource } from "../../../src/source/memory/memory.ts";
import { QEMU, QEMU_REASON, qemuImg } from "../../support/qemu.ts";
import { readGuest } from "../../support/reference.ts";
import {
  AT,
  CLUSTER,
  COMPRESSED,
  COPIED,
  coded,
  craft,
  craftedGuest,
  ENTRY_AT,
  extension,
  wide,
} from "./craft.ts";
import { listed, openImage } from "./open.ts";
import { scratch } from "./scratch.ts";

const file = scratch();
const MAX = 2n ** 64n - 1n;
const FAR = 2n ** 40n;

interface Case {
  readonly what: string;
  readonly code: FaultCode;
  readonly snapshot?: string;
  /** A part of the message: what the reader is told. */
  readonly says?: string;
  /** Changes the image in place, or gives another one. */
  readonly change: (image: Buffer) => unknown;
}

const CASES: readonly Case[] = [
  // the header
  { what: "another magic", code: "FORMAT_MISMATCH", change: (i) => i.write("QED\0", 0) },
  { what: "no bytes at all", code: "FORMAT_MISMATCH", change: () => Buffer.alloc(0) },
  { what: "a file of 71 bytes", code: "IMAGE_TRUNCATED", change: (i) => i.subarray(0, 71) },
  { what: "a version 3 file of 100 bytes", code: "IMAGE_TRUNCATED", change: (i) => i.subarray(0, 100) },
  { what: "a file that ends inside the header", code: "IMAGE_TRUNCATED", change: (i) => i.subarray(0, 108) },
  {
    what: "qcow version 1",
    code: "UNSUPPORTED_FEATURE",
    says: "version 1",
    change: (i) => i.writeUInt32BE(1, 4),
  },
  { what: "version 4", code: "UNSUPPORTED_FEATURE", change: (i) => i.writeUInt32BE(4, 4) },
  { what: "clusters of 256 bytes", code: "IMAGE_CORRUPT", change: (i) => i.writeUInt32BE(8, 20) },
  { what: "clusters of 4 MiB", code: "IMAGE_CORRUPT", change: (i) => i.writeUInt32BE(22, 20) },
  { what: "clusters of 2^64 bytes", code: "IMAGE_CORRUPT", change: (i) => i.writeUInt32BE(64, 20) },
  { what: "a header of 96 bytes", code: "IMAGE_CORRUPT", change: (i) => i.writeUInt32BE(96, 100) },
  { what: "a header of 109 bytes", code: "IMAGE_CORRUPT", change: (i) => i.writeUInt32BE(109, 100) },
  {
    what: "a header larger than a cluster",
    code: "IMAGE_CORRUPT",
    change: (i) => i.writeUInt32BE(5000 * 8, 100),
  },
  { what: "a header of 4 GiB", code: "IMAGE_CORRUPT", change: (i) => i.writeUInt32BE(0xfffffff8, 100) },
  { what: "refcounts of 128 bits", code: "IMAGE_CORRUPT", change: (i) => i.writeUInt32BE(7, 96) },
  { what: "a disk of 2^64 - 1 bytes", code: "LIMIT_EXCEEDED", change: (i) => wide(i, 24, MAX) },
  {
    what: "a disk larger than its L1 table",
    code: "IMAGE_CORRUPT",
    change: (i) => wide(i, 24, 4 * 1024 * 1024 + 1),
  },

  // features
  { what: "the dirty bit", code: "IMAGE_DIRTY", says: "qemu-img check -r", change: (i) => wide(i, 72, 1) },
  { what: "the corrupt bit", code: "IMAGE_CORRUPT", says: "marked corrupt", change: (i) => wide(i, 72, 2) },
  { what: "an unknown feature", code: "UNSUPPORTED_FEATURE", says: "bit 5", change: (i) => wide(i, 72, 32) },
  {
    what: "the last unknown feature",
    code: "UNSUPPORTED_FEATURE",
    says: "bit 63",
    change: (i) => wide(i, 72, 1n << 63n),
  },
  {
    what: "an unknown feature that the image names",
    code: "UNSUPPORTED_FEATURE",
    says: '"time travel"',
    change(i) {
      wide(i, 72, 64);
      extension(
        i,
        0x6803f857,
        Buffer.concat([Buffer.from([0, 6]), Buffer.from("time travel".padEnd(46, "\0"))]),
      );
    },
  },
  {
    what: "AES encryption",
    code: "UNSUPPORTED_FEATURE",
    says: "AES",
    change: (i) => i.writeUInt32BE(1, 32),
  },
  {
    what: "LUKS encryption",
    code: "UNSUPPORTED_FEATURE",
    says: "LUKS",
    change: (i) => i.writeUInt32BE(2, 32),
  },
  { what: "an unknown encryption", code: "UNSUPPORTED_FEATURE", change: (i) => i.writeUInt32BE(9, 32) },
  {
    what: "an encryption header without encryption",
    code: "IMAGE_CORRUPT",
    change: (i) => extension(i, 0x0537be77, Buffer.alloc(16)),
  },
  { what: "zstd without its feature bit", code: "IMAGE_CORRUPT", change: (i) => i.writeUInt8(1, 104) },
  { what: "the compression bit without a type", code: "IMAGE_CORRUPT", change: (i) => wide(i, 72, 8) },
  {
    what: "compression type 2",
    code: "UNSUPPORTED_FEATURE",
    change(i) {
      wide(i, 72, 8);
      i.writeUInt8(2, 104);
    },
  },
  { what: "extended L2 entries in small clusters", code: "IMAGE_CORRUPT", change: (i) => wide(i, 72, 16) },
  { what: "a data file that is not listed", code: "REFERENCE_NOT_LISTED", change: (i) => wide(i, 72, 4) },

  // what stands in the first cluster
  {
    what: "an extension that leaves the cluster",
    code: "IMAGE_CORRUPT",
    change(i) {
      extension(i, 0x12345678, Buffer.alloc(0));
      i.writeUInt32BE(CLUSTER, 116);
    },
  },
  {
    what: "an extension of 4 GiB",
    code: "IMAGE_CORRUPT",
    change(i) {
      extension(i, 0xe2792aca, Buffer.alloc(0));
      i.writeUInt32BE(0xffffffff, 116);
    },
  },
  {
    what: "a backing file that is not listed",
    code: "REFERENCE_NOT_LISTED",
    change(i) {
      wide(i, 8, 1024);
      i.writeUInt32BE(11, 16);
      i.write("/etc/shadow", 1024);
    },
  },
  {
    what: "a backing file name of 1024 bytes",
    code: "IMAGE_CORRUPT",
    change(i) {
      wide(i, 8, 1024);
      i.writeUInt32BE(1024, 16);
    },
  },
  {
    what: "a backing file name that leaves the cluster",
    code: "IMAGE_CORRUPT",
    change(i) {
      wide(i, 8, CLUSTER - 10);
      i.writeUInt32BE(11, 16);
    },
  },
  { what: "a backing file name inside the header", code: "IMAGE_CORRUPT", change: (i) => wide(i, 8, 64) },
  {
    what: "a backing file name at the end of the world",
    code: "IMAGE_CORRUPT",
    change: (i) => wide(i, 8, MAX),
  },

  // tables that the header places
  {
    what: "an L1 table of 2^32 - 1 entries",
    code: "LIMIT_EXCEEDED",
    change: (i) => i.writeUInt32BE(0xffffffff, 36),
  },
  {
    what: "an L1 table one entry over the limit",
    code: "LIMIT_EXCEEDED",
    change: (i) => i.writeUInt32BE(2 ** 22 + 1, 36),
  },
  {
    what: "an L1 table that leaves the file",
    code: "IMAGE_TRUNCATED",
    change: (i) => i.writeUInt32BE(2 ** 22, 36),
  },
  { what: "no L1 table", code: "IMAGE_CORRUPT", change: (i) => i.writeUInt32BE(0, 36) },
  { what: "an L1 table behind the file", code: "IMAGE_TRUNCATED", change: (i) => wide(i, 40, FAR) },
  { what: "an L1 table at 2^64 - 4096", code: "IMAGE_TRUNCATED", change: (i) => wide(i, 40, MAX - 4095n) },
  { what: "an L1 table that is not aligned", code: "IMAGE_CORRUPT", change: (i) => wide(i, 40, AT.l1 + 512) },
  { what: "an L1 table in the header", code: "IMAGE_CORRUPT", change: (i) => wide(i, 40, 0) },
  {
    what: "an L1 table in the refcount table",
    code: "IMAGE_CORRUPT",
    says: "refcount table",
    change: (i) => wide(i, 40, AT.refcountTable),
  },
  { what: "no refcount table", code: "IMAGE_CORRUPT", change: (i) => i.writeUInt32BE(0, 56) },
  {
    what: "a refcount table over the limit",
    code: "LIMIT_EXCEEDED",
    change: (i) => i.writeUInt32BE(2049, 56),
  },
  {
    what: "a refcount table of 2^32 - 1 clusters",
    code: "LIMIT_EXCEEDED",
    change: (i) => i.writeUInt32BE(0xffffffff, 56),
  },
  {
    what: "a refcount table that leaves the file",
    code: "IMAGE_TRUNCATED",
    change: (i) => i.writeUInt32BE(2048, 56),
  },
  {
    what: "a refcount table that is not aligned",
    code: "IMAGE_CORRUPT",
    change: (i) => wide(i, 48, AT.refcountTable + 8),
  },
  {
    what: "a refcount block behind the file",
    code: "IMAGE_TRUNCATED",
    change: (i) => wide(i, AT.refcountTable, FAR),
  },
  {
    what: "a refcount block that is not aligned",
    code: "IMAGE_CORRUPT",
    change: (i) => wide(i, AT.refcountTable, AT.refcountBlock + 512),
  },
  {
    what: "a refcount block twice",
    code: "IMAGE_CORRUPT",
    change: (i) => wide(i, AT.refcountTable + 8, AT.refcountBlock),
  },
  {
    what: "a refcount block in the L1 table",
    code: "IMAGE_CORRUPT",
    says: "L1 table",
    change: (i) => wide(i, AT.refcountTable, AT.l1),
  },

  // snapshots
  { what: "2^32 - 1 snapshots", code: "LIMIT_EXCEEDED", change: (i) => i.writeUInt32BE(0xffffffff, 60) },
  { what: "a snapshot table behind the file", code: "IMAGE_TRUNCATED", change: (i) => wide(i, 64, FAR) },
  {
    what: "a snapshot table that is not aligned",
    code: "IMAGE_CORRUPT",
    change: (i) => wide(i, 64, AT.snapshots + 8),
  },
  {
    what: "more snapshots than the table holds",
    code: "IMAGE_TRUNCATED",
    change: (i) => i.writeUInt32BE(65536, 60),
  },
  {
    what: "1025 bytes of extra data",
    code: "LIMIT_EXCEEDED",
    change: (i) => i.writeUInt32BE(1025, AT.snapshots + 36),
  },
  {
    what: "a snapshot name behind the file",
    code: "IMAGE_TRUNCATED",
    change: (i) => i.writeUInt16BE(65535, AT.snapshots + 14),
  },
  {
    what: "a snapshot whose L1 table leaves the file",
    code: "IMAGE_TRUNCATED",
    snapshot: "one",
    change: (i) => wide(i, AT.snapshots, FAR),
  },
  {
    what: "a snapshot whose L1 table is too short",
    code: "IMAGE_CORRUPT",
    snapshot: "1",
    change: (i) => i.writeUInt32BE(1, AT.snapshots + 8),
  },
  {
    what: "a snapshot whose L1 table is huge",
    code: "LIMIT_EXCEEDED",
    snapshot: "1",
    change: (i) => i.writeUInt32BE(0xffffffff, AT.snapshots + 8),
  },
  {
    what: "a snapshot of 2^64 - 1 bytes",
    code: "LIMIT_EXCEEDED",
    snapshot: "1",
    change: (i) => wide(i, AT.snapshots + 48, MAX),
  },
  {
    what: "a snapshot whose L1 table is the header",
    code: "IMAGE_CORRUPT",
    snapshot: "1",
    change: (i) => wide(i, AT.snapshots, 0),
  },
  {
    what: "a snapshot that is not there",
    code: "NOT_FOUND",
    says: '"one"',
    snapshot: "two",
    change: () => undefined,
  },

  // L1 entries
  { what: "an L2 table behind the file", code: "IMAGE_TRUNCATED", change: (i) => wide(i, AT.l1, FAR) },
  {
    what: "an L2 table cut by the end of the file",
    code: "IMAGE_TRUNCATED",
    change(i) {
      wide(i, AT.l1, AT.end);
      return Buffer.concat([i, Buffer.alloc(100)]);
    },
  },
  {
    what: "an L2 table that is not aligned",
    code: "IMAGE_CORRUPT",
    change: (i) => wide(i, AT.l1, AT.l2 + 512),
  },
  {
    what: "reserved bits in an L1 entry",
    code: "IMAGE_CORRUPT",
    says: "reserved",
    change: (i) => wide(i, AT.l1, COPIED | (1n << 56n) | BigInt(AT.l2)),
  },
  {
    what: "low reserved bits in an L1 entry",
    code: "IMAGE_CORRUPT",
    says: "reserved",
    change: (i) => wide(i, AT.l1, AT.l2 + 1),
  },
  {
    what: "an L2 table in the L1 table",
    code: "IMAGE_CORRUPT",
    says: "L1 table",
    change: (i) => wide(i, AT.l1, AT.l1),
  },
  {
    what: "an L2 table in the refcount table",
    code: "IMAGE_CORRUPT",
    says: "refcount table",
    change: (i) => wide(i, AT.l1, AT.refcountTable),
  },
  {
    what: "an L2 table in a refcount block",
    code: "IMAGE_CORRUPT",
    says: "refcount block",
    change: (i) => wide(i, AT.l1, AT.refcountBlock),
  },
  {
    what: "an L2 table in the snapshot table",
    code: "IMAGE_CORRUPT",
    says: "snapshot table",
    change: (i) => wide(i, AT.l1, AT.snapshots),
  },
  {
    what: "an L2 table used twice",
    code: "AMPLIFICATION",
    says: "--allow-amplification",
    change: (i) => wide(i, AT.l1 + 8, AT.l2),
  },

  // L2 entries
  { what: "a cluster behind the file", code: "IMAGE_TRUNCATED", change: (i) => wide(i, ENTRY_AT.data, FAR) },
  {
    what: "a cluster at the end of the file",
    code: "IMAGE_TRUNCATED",
    change: (i) => wide(i, ENTRY_AT.data, AT.end),
  },
  {
    what: "a cluster at 2^56 - 4096",
    code: "IMAGE_TRUNCATED",
    change: (i) => wide(i, ENTRY_AT.data, 2n ** 56n - 4096n),
  },
  {
    what: "a cluster that is not aligned",
    code: "IMAGE_CORRUPT",
    says: "aligned",
    change: (i) => wide(i, ENTRY_AT.data, AT.data + 512),
  },
  {
    what: "low reserved bits in an L2 entry",
    code: "IMAGE_CORRUPT",
    says: "reserved",
    change: (i) => wide(i, ENTRY_AT.data, AT.data + 2),
  },
  {
    what: "high reserved bits in an L2 entry",
    code: "IMAGE_CORRUPT",
    says: "reserved",
    change: (i) => wide(i, ENTRY_AT.data, (1n << 61n) | BigInt(AT.data)),
  },
  {
    what: "a cluster in the L1 table",
    code: "IMAGE_CORRUPT",
    says: "L1 table",
    change: (i) => wide(i, ENTRY_AT.data, AT.l1),
  },
  {
    what: "a cluster in its own L2 table",
    code: "IMAGE_CORRUPT",
    says: "L2 table",
    change: (i) => wide(i, ENTRY_AT.data, AT.l2),
  },
  {
    what: "a cluster in a later L2 table",
    code: "IMAGE_CORRUPT",
    says: "L2 table",
    change: (i) => wide(i, ENTRY_AT.data, AT.secondL2),
  },
  {
    what: "a cluster in the refcount table",
    code: "IMAGE_CORRUPT",
    says: "refcount table",
    change: (i) => wide(i, ENTRY_AT.data, AT.refcountTable),
  },
  {
    what: "a cluster in a refcount block",
    code: "IMAGE_CORRUPT",
    says: "refcount block",
    change: (i) => wide(i, ENTRY_AT.data, AT.refcountBlock),
  },
  {
    what: "a cluster used twice",
    code: "IMAGE_CORRUPT",
    says: "another guest cluster",
    change: (i) => wide(i, ENTRY_AT.free, AT.data),
  },
  {
    what: "a cluster used by two tables",
    code: "IMAGE_CORRUPT",
    change: (i) => wide(i, AT.secondL2 + 8, AT.data),
  },
  {
    what: "a zero cluster that holds another's place",
    code: "IMAGE_CORRUPT",
    change: (i) => wide(i, ENTRY_AT.free, AT.data + 1),
  },
  {
    what: "a plain cluster among compressed data",
    code: "IMAGE_CORRUPT",
    change: (i) => wide(i, ENTRY_AT.free, AT.coded),
  },
  {
    what: "compressed data in a plain cluster",
    code: "IMAGE_CORRUPT",
    change: (i) => wide(i, ENTRY_AT.free, coded(AT.data + 100, 0)),
  },
  {
    what: "compressed data that runs into a plain cluster",
    code: "IMAGE_CORRUPT",
    change: (i) => wide(i, ENTRY_AT.free, coded(AT.secondL2 + 4000, 4)),
  },
  {
    what: "compressed data in the header",
    code: "IMAGE_CORRUPT",
    says: "header",
    change: (i) => wide(i, ENTRY_AT.free, coded(200, 0)),
  },
  {
    what: "compressed data at offset 0",
    code: "IMAGE_CORRUPT",
    says: "header",
    change: (i) => wide(i, ENTRY_AT.free, COMPRESSED),
  },
  {
    what: "compressed data behind the file",
    code: "IMAGE_TRUNCATED",
    change: (i) => wide(i, ENTRY_AT.free, coded(AT.end, 0)),
  },
  {
    what: "compressed data with reserved bits",
    code: "IMAGE_CORRUPT",
    says: "reserved",
    change: (i) => wide(i, ENTRY_AT.free, coded(AT.coded + 2000, 0) | (1n << 57n)),
  },
  {
    what: "compressed data used twice",
    code: "AMPLIFICATION",
    says: "--allow-amplification",
    change: (i) => wide(i, ENTRY_AT.free, coded(AT.coded, 0)),
  },
  {
    what: "compressed data used by two tables",
    code: "AMPLIFICATION",
    change: (i) => wide(i, AT.secondL2 + 8, coded(AT.coded, 0)),
  },
  {
    what: "a zero flag in version 2",
    code: "IMAGE_CORRUPT",
    says: "version 2",
    change(i) {
      i.writeUInt32BE(2, 4);
      i.fill(0, 72, 112);
      wide(i, AT.l2 + 16, AT.end - CLUSTER + 1);
    },
  },
];

describe("a broken or hostile image is refused by name", () => {
  it("and the image that all of these are made from is sound", async () => {
    await using image = await openImage(craft());
    expect((await readGuest(image)).equals(craftedGuest())).toBe(true);
    await using snapshot = await openImage(craft(), { snapshot: "one" });
    expect((await readGuest(snapshot)).equals(Buffer.alloc(4 * 1024 * 1024))).toBe(true);
  });

  it.skipIf(!QEMU)(`which qemu-img finds too${QEMU_REASON}`, () => {
    writeFileSync(file("craft.qcow2"), craft());
    qemuImg("check", "-f", "qcow2", file("craft.qcow2"));
  });

  for (const { what, code, says, snapshot, change } of CASES) {
    it(`${what}: ${code}`, async () => {
      const image = craft();
      const other = change(image);
      const changed = other instanceof Buffer ? other : image;
      const opening = openImage(changed, snapshot === undefined ? {} : { snapshot });
      await expect(opening).rejects.toMatchObject({
        name: "Fault",
        code,
        message: expect.stringContaining(says ?? "disk.qcow2"),
      });
      await expect(opening).rejects.toThrow(/^disk\.qcow2: [^\n]+$/);
    });
  }
});

describe("images with a data file", () => {
  const external = (change: (image: Buffer) => void = () => undefined) => {
    const image = craft();
    wide(image, 72, 4);
    image.fill(0, AT.l2, AT.data);
    wide(image, AT.l2, COPIED);
    wide(image, AT.l2 + 8, COPIED | BigInt(CLUSTER));
    change(image);
    return image;
  };
  const gate = (size: number) =>
    listed({ dataFile: () => memorySource(Buffer.alloc(size, 0x77), "disk.data") });

  it("find offset 0 of the data file", async () => {
    const image = await openImage(external(), { gate: gate(2 * CLUSTER) });
    const guest = await readGuest(image);
    expect(guest.subarray(0, 2 * CLUSTER).equals(Buffer.alloc(2 * CLUSTER, 0x77))).toBe(true);
    expect(guest.subarray(2 * CLUSTER).every((byte) => byte === 0)).toBe(true);
  });

  for (const [what, code, size, change] of [
    [
      "an offset that is not the guest's",
      "IMAGE_CORRUPT",
      4 * CLUSTER,
      (i) => wide(i, AT.l2 + 8, 2 * CLUSTER),
    ],
    ["a compressed cluster", "IMAGE_CORRUPT", 4 * CLUSTER, (i) => wide(i, AT.l2 + 8, coded(AT.coded, 0))],
    ["a data file that is too short", "IMAGE_TRUNCATED", CLUSTER, () => undefined],
  ] as readonly (readonly [string, FaultCode, number, (image: Buffer) => void])[]) {
    it(`refuse ${what}: ${code}`, async () => {
      await expect(openImage(external(change), { gate: gate(size) })).rejects.toMatchObject({ code });
    });
  }

  it("are closed again when the image is refused", async () => {
    let closed = 0;
    const counting = listed({
      dataFile: () => ({
        ...memorySource(Buffer.alloc(CLUSTER), "disk.data"),
        async [Symbol.asyncDispose]() {
          closed += 1;
        },
      }),
    });
    await expect(openImage(external(), { gate: counting })).rejects.toMatchObject({
      code: "IMAGE_TRUNCATED",
    });
    expect(closed).toBe(1);
  });

  it("refuse a snapshot", async () => {
    const opening = openImage(external(), { gate: gate(2 * CLUSTER), snapshot: "one" });
    await expect(opening).rejects.toMatchObject({ code: "UNSUPPORTED_FEATURE" });
  });
});

describe("images with subclusters", () => {
  const EXTENDED = 16384;
  /** One table of 1024 entries of 16 bytes at cluster 4, one data cluster at 5. */
  const extended = (allocated: number, zeros: number, entry: bigint) => {
    const image = Buffer.alloc(6 * EXTENDED, 0x55);
    image.fill(0, 0, 5 * EXTENDED);
    craft().copy(image, 0, 0, 112);
    image.writeUInt32BE(14, 20);
    image.writeUInt32BE(1, 36);
    image.writeUInt32BE(0, 60);
    wide(image, 40, 3 * EXTENDED);
    wide(image, 48, EXTENDED);
    wide(image, 72, 16);
    wide(image, EXTENDED, 2 * EXTENDED);
    wide(image, 3 * EXTENDED, 4 * EXTENDED);
    wide(image, 4 * EXTENDED, entry);
    image.writeUInt32BE(zeros, 4 * EXTENDED + 8);
    image.writeUInt32BE(allocated, 4 * EXTENDED + 12);
    return image;
  };
  const at = BigInt(5 * EXTENDED);

  it("read each subcluster by itself", async () => {
    const image = await openImage(extended(0x80000003, 0x00000004, COPIED | at));
    const guest = await readGuest(image);
    const expected = Buffer.alloc(4 * 1024 * 1024);
    expected.fill(0x55, 0, 1024);
    expected.fill(0x55, EXTENDED - 512, EXTENDED);
    expect(guest.equals(expected)).toBe(true);
  });

  for (const [what, allocated, zeros, entry] of [
    ["that are zero and allocated", 1, 1, at],
    ["all of which are zero and allocated", 0xffffffff, 0xffffffff, at],
    ["without a cluster", 1, 0, 0n],
    ["with the zero flag of plain entries", 1, 0, at | 1n],
  ] as const) {
    it(`refuse subclusters ${what}`, async () => {
      await expect(openImage(extended(allocated, zeros, entry))).rejects.toMatchObject({
        code: "IMAGE_CORRUPT",
      });
    });
  }
});

describe("the mark of qcow2", () => {
  it("is found in whole and broken images, and in nothing else", () => {
    const probe = (head: Uint8Array) => qcow2.reader.probe({ head, tail: head, size: head.length });
    expect(probe(craft())).toBe("mine");
    expect(probe(craft().subarray(0, 4))).toBe("mine");
    expect(probe(Buffer.from("QFI"))).toBe("not mine");
    expect(probe(Buffer.alloc(512))).toBe("not mine");
  });
});
