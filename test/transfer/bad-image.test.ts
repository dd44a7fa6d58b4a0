import {
  copyFileSync,
  existsSync,
  readdirSync,
  readFileSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { appendFile, open, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { gunzipSync } from "node:zlib";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { MiB } from "../../src/bytes/units.ts";
import type { Fault } from "../../src/fault/fault.ts";
import type { Producer } from "../../src/transfer/job.ts";
import { makeDisk, noise, writeSparse } from "../oracle/disk.ts";
import { QEMU, QEMU_REASON, qemuImg } from "../support/qemu.ts";
import { makeWorld, type Wish } from "../support/world.ts";
import { type PartStore, partStore } from "./part-store.ts";

const world = await makeWorld("bad-image");
const { path } = world;
writeSparse(path("disk.raw"), makeDisk(6 * MiB));

let store: PartStore;
beforeAll(async () => {
  store = await partStore();
});
afterAll(() => store[Symbol.asyncDispose]());
beforeEach(() => {
  store.calls.length = 0;
  store.taken.length = 0;
});

/** Nothing is under the final name, beside it, or in the journals. */
function expectNothingLeft(): void {
  const left = readdirSync(dirname(path("out.raw"))).filter((name) => name.includes("out"));
  const journals = existsSync(world.engine.stateDirectory) ? readdirSync(world.engine.stateDirectory) : [];
  expect({ left, journals, uploads: store.uploads.size, objects: store.objects.size }).toEqual({
    left: [],
    journals: [],
    uploads: 0,
    objects: 0,
  });
}

async function faultOf(work: Promise<unknown>): Promise<Fault> {
  const fault = await work.then(
    () => undefined,
    (error: Fault) => error,
  );
  if (fault === undefined) throw new Error("no fault");
  expect(fault.message).not.toMatch(/\n|undefined|NaN|\[object/);
  return fault;
}

const toStore: Wish = { places: { destination: async () => store.destination() }, segment: MiB };

/** Refused alike by a directory and by a store, before anything is begun there. */
async function expectRefused(name: string, code: string, says: RegExp, wish: Wish = {}): Promise<void> {
  for (const where of [{}, toStore]) {
    const fault = await faultOf(world.transfer(name, "out.raw", { format: "raw", ...where, ...wish }));
    expect([fault.code, fault.message]).toEqual([code, expect.stringMatching(says)]);
    expect(fault.message).toContain(path(name));
    expectNothingLeft();
  }
  expect(store.calls).toEqual([]);
}

async function patch(name: string, offset: number, bytes: Buffer): Promise<void> {
  const file = await open(path(name), "r+");
  await file.write(bytes, 0, bytes.length, offset);
  await file.close();
}

function wide(...values: (number | bigint)[]): Buffer {
  const bytes = Buffer.alloc(values.length * 8);
  for (const [index, value] of values.entries()) bytes.writeBigUInt64BE(BigInt(value), index * 8);
  return bytes;
}

describe("an image that is refused before anything is begun", () => {
  it("is not there", () => expectRefused("absent.qcow2", "NOT_FOUND", /no such file or directory$/));

  it("is of another format than was declared", async () => {
    await world.transfer("disk.raw", "good.vhd", { format: "vhd" });
    await expectRefused("disk.raw", "FORMAT_MISMATCH", /is declared as qcow2, but its content is raw/, {
      source: { format: "qcow2" },
    });
    await expectRefused("good.vhd", "FORMAT_MISMATCH", /is declared as raw, but its content is vhd/, {
      source: { format: "raw" },
    });
    await expectRefused("disk.raw", "USAGE", /./, { source: { format: "raw", backing: [path("good.vhd")] } });
  });

  it("is empty, and declared to be more than raw", async () => {
    writeFileSync(path("empty.qcow2"), "");
    await expectRefused("empty.qcow2", "FORMAT_MISMATCH", /is declared as qcow2, but its content is raw/, {
      source: { format: "qcow2" },
    });
  });

  describe.skipIf(!QEMU)(`as qemu-img made it, and somebody else changed it${QEMU_REASON}`, () => {
    /** Offsets of a fresh image's tables. */
    let l1 = 0;
    let l2 = 0;
    beforeEach(() => {
      qemuImg("convert", "-f", "raw", "-O", "qcow2", path("disk.raw"), path("a.qcow2"));
      const bytes = readFileSync(path("a.qcow2"));
      l1 = Number(bytes.readBigUInt64BE(40));
      l2 = Number(bytes.readBigUInt64BE(l1) & 0x00ff_ffff_ffff_fe00n);
    });

    it("names a backing file that the request does not list", async () => {
      qemuImg("create", "-q", "-f", "qcow2", "-F", "raw", "-b", "disk.raw", path("top.qcow2"));
      await expectRefused(
        "top.qcow2",
        "REFERENCE_NOT_LISTED",
        /names the backing file "disk.raw".*add --backing PATH$/,
      );
    });

    it("is its own backing file, however often it is listed", async () => {
      qemuImg("rebase", "-u", "-F", "qcow2", "-b", "a.qcow2", path("a.qcow2"));
      const backing = Array(3).fill(path("a.qcow2")) as string[];
      await expectRefused("a.qcow2", "REFERENCE_NOT_LISTED", /names the backing file "a.qcow2"/, {
        source: { backing },
      });
    });

    it("has an L1 table that points to itself", async () => {
      await patch("a.qcow2", l1, wide(BigInt(l1) | (1n << 63n)));
      await expectRefused("a.qcow2", "IMAGE_CORRUPT", /./);
    });

    it("has a table past the end of the file", async () => {
      await patch("a.qcow2", l1, wide((1n << 63n) | (1n << 40n)));
      await expectRefused("a.qcow2", "IMAGE_TRUNCATED", /./);
    });

    it("has data past the end of the file", async () => {
      await patch("a.qcow2", l2 + 8, wide((1n << 63n) | (1n << 40n)));
      await expectRefused("a.qcow2", "IMAGE_TRUNCATED", /./);
    });

    it("has lost its second half", async () => {
      truncateSync(path("a.qcow2"), Math.floor(statSync(path("a.qcow2")).size / 2));
      await expectRefused("a.qcow2", "IMAGE_TRUNCATED", /./);
    });

    it("maps one stored cluster a thousand times", async () => {
      qemuImg("create", "-q", "-f", "qcow2", path("bomb.qcow2"), "512M");
      qemuImg("convert", "-c", "-f", "raw", "-O", "qcow2", path("disk.raw"), path("coded.qcow2"));
      const bytes = readFileSync(path("coded.qcow2"));
      const at = Number(bytes.readBigUInt64BE(Number(bytes.readBigUInt64BE(40))) & 0x00ff_ffff_ffff_fe00n);
      let entry = 0n;
      for (let index = 0; (entry & (1n << 62n)) === 0n; index += 1)
        entry = bytes.readBigUInt64BE(at + index * 8);
      // A disk of 512 MiB, whose only table says the same cluster everywhere.
      await patch("coded.qcow2", 24, wide(512 * MiB));
      await patch("coded.qcow2", at, wide(...(Array(8192).fill(entry) as bigint[])));
      await expectRefused("coded.qcow2", "AMPLIFICATION", /./);
    });

    it("says of itself that it was not closed, or is corrupt", async () => {
      await patch("a.qcow2", 72, wide(2));
      const fault = await faultOf(world.transfer("a.qcow2", "out.raw", { format: "raw" }));
      expect(fault.code).toMatch(/^IMAGE_(CORRUPT|DIRTY)$/);
    });
  });

  it("is a zvhd or zvhd2 that ends too early", async () => {
    for (const name of ["g.zvhd", "g.zvhd2"]) {
      const bytes = gunzipSync(readFileSync(`native-fixtures/zvhd-small/${name}.gz`));
      writeFileSync(path(name), bytes.subarray(0, Math.floor(bytes.length / 2)));
      await expectRefused(name, "IMAGE_TRUNCATED", /./);
    }
  });
});

describe("an image whose data is bad", () => {
  it.skipIf(!QEMU)(`is refused where the data is, and nothing is left${QEMU_REASON}`, async () => {
    qemuImg("convert", "-c", "-f", "raw", "-O", "qcow2", path("disk.raw"), path("c.qcow2"));
    const bytes = readFileSync(path("c.qcow2"));
    // Behind all tables: streams of compressed clusters. A block type that deflate does not have.
    await patch("c.qcow2", Math.floor(bytes.length / 2), Buffer.alloc(60_000, 0xff));
    for (const where of [{}, toStore]) {
      const fault = await faultOf(world.transfer("c.qcow2", "out.raw", { format: "raw", ...where }));
      expect([fault.code, fault.message]).toEqual([
        "IMAGE_CORRUPT",
        expect.stringMatching(new RegExp(`^${path("c.qcow2")}: offset \\d+: `)),
      ]);
      expectNothingLeft();
    }
    expect(store.calls).toEqual(["begin", "abort"]);
  });
});

describe("a source that changes while it is read", () => {
  const content = noise(6 * MiB, 3);
  beforeEach(() => {
    writeFileSync(path("live.raw"), content);
  });

  const changes: [string, () => Promise<void>][] = [
    ["grows", () => appendFile(path("live.raw"), "more")],
    ["is written to", () => patch("live.raw", 5 * MiB, Buffer.from("changed"))],
    ["is cut short", async () => truncateSync(path("live.raw"), 4 * MiB)],
    [
      "is replaced",
      async () => {
        await rm(path("live.raw"));
        writeFileSync(path("live.raw"), content);
      },
    ],
    ["is removed", () => rm(path("live.raw"))],
  ];

  it.each(changes)("and %s is refused: to a store", async (_what, change) => {
    let changed: Promise<void> | undefined;
    store.behave = async () => {
      changed ??= change();
      await changed;
      return false;
    };
    const fault = await faultOf(
      world.transfer("live.raw", "out.raw", { ...toStore, source: { format: "raw" }, concurrency: 2 }),
    );
    store.behave = () => false;
    expect(["SOURCE_CHANGED", "NOT_FOUND"]).toContain(fault.code);
    expect(fault.message).toContain(path("live.raw"));
    expect(store.calls).toEqual(["begin", "abort"]);
    expectNothingLeft();
  });

  it.each(changes)("and %s is refused: to a directory, also when all has been read", async (what, change) => {
    // A file that has another name, or none, still is what was read.
    const last = what === "is replaced" || what === "is removed" ? [] : [6];
    for (const after of [1, ...last]) {
      writeFileSync(path("live.raw"), content);
      let produced = 0;
      const producer: Producer = {
        lanes: 4,
        threads: 4,
        async produce(job, signal) {
          const receipt = await world.engine.producer.produce(job, signal);
          produced += 1;
          if (produced === after) await change();
          return receipt;
        },
      };
      const wish = { producer, segment: MiB, source: { format: "raw" }, concurrency: 1 };
      const fault = await faultOf(world.transfer("live.raw", "out.raw", wish));
      expect(["SOURCE_CHANGED", "NOT_FOUND"]).toContain(fault.code);
      expectNothingLeft();
    }
  });
});

describe("what stands under the final name", () => {
  it("is not replaced unasked, and is untouched by a transfer that fails", async () => {
    writeFileSync(path("mine.raw"), "mine");
    expect((await faultOf(world.transfer("disk.raw", "mine.raw"))).code).toBe("ALREADY_EXISTS");
    copyFileSync(path("disk.raw"), path("gone.raw"));
    const producer: Producer = {
      lanes: 1,
      threads: 1,
      async produce(job, signal) {
        const receipt = await world.engine.producer.produce(job, signal);
        await appendFile(path("gone.raw"), "more");
        return receipt;
      },
    };
    const fault = await faultOf(
      world.transfer("gone.raw", "mine.raw", { producer, existing: "replace", source: { format: "raw" } }),
    );
    expect(fault.code).toBe("SOURCE_CHANGED");
    expect(readFileSync(path("mine.raw"), "utf8")).toBe("mine");
  });
});
