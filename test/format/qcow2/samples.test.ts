import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { TiB } from "../../../src/bytes/units.ts";
import { QEMU, QEMU_REASON } from "../../support/qemu.ts";
import { readGuest } from "../../support/reference.ts";
import { CONTENTS } from "./contents.ts";
import { extentsOf, guestOf, listed, never, openImage, rawImage } from "./open.ts";
import { qemuGuest, scratch } from "./scratch.ts";

const file = scratch();
const SAMPLES = join(import.meta.dirname, "../../../../shared/samples");
const PRESENT = existsSync(SAMPLES);
const REASON = PRESENT ? "" : " (skipped: the folder of public samples is not here)";
const sample = (name: string) => join(SAMPLES, name);

describe(`images of other projects${REASON}`, () => {
  for (const name of ["ext2.qcow2", "windows_volume.qcow2"]) {
    it.skipIf(!PRESENT || !QEMU)(`${name} reads as qemu-img reads it${QEMU_REASON}`, async () => {
      const link = file(name);
      writeFileSync(link, readFileSync(sample(`peers/${name}`)));
      expect((await guestOf(link)).equals(qemuGuest(link))).toBe(true);
    });
  }

  it.skipIf(!PRESENT)("an empty disk in a file that ends inside a cluster is all zeros", async () => {
    const image = await openImage(readFileSync(sample("peers/fs-overhead.qcow2")));
    expect(await extentsOf(image)).toEqual([{ kind: "zero", offset: 0, length: 858_993_664 }]);
  });

  it.skipIf(!PRESENT)(
    "a chain to an absent file is refused, and read when the request lists all of it",
    async () => {
      const first = readFileSync(sample("peers/cirros-snapshot1.qcow2"));
      const second = readFileSync(sample("peers/cirros-snapshot2.qcow2"));
      await expect(openImage(second)).rejects.toMatchObject({ code: "REFERENCE_NOT_LISTED" });
      const base = CONTENTS.mixed(44 * 1024 * 1024);
      const middle = listed({ backing: async () => rawImage(base) });
      const image = await openImage(second, {
        gate: listed({ backing: () => openImage(first, { gate: middle }) }),
      });
      expect(image.sources.length).toBe(3);
      expect((await readGuest(image)).length).toBe(base.length);
    },
  );

  it.skipIf(!PRESENT)("a VMDK that is named as if it were qcow2 is no qcow2", async () => {
    const image = readFileSync(sample("hostile/cdi-invalid-qcow-large-memory.vmdk.img"));
    await expect(openImage(image)).rejects.toMatchObject({
      code: expect.stringMatching(/FORMAT_MISMATCH|LIMIT/),
    });
  });

  it.skipIf(!PRESENT)("384 KiB that expand to 1 TiB are refused, unless allowed", async () => {
    const bomb = gunzipSync(readFileSync(sample("hostile/bomb-1TiB-nonzero.qcow2.gz")));
    await expect(openImage(bomb)).rejects.toMatchObject({
      code: "AMPLIFICATION",
      message: expect.stringMatching(/cap.*--allow-amplification/),
    });
    const image = await openImage(bomb, { amplification: "allow" });
    expect(image.virtualSize).toBe(TiB);
    expect(
      (await image.pieces({ offset: TiB - 65536, length: 65536 }, never)).map(({ kind }) => kind),
    ).toEqual(["coded"]);
  });
});
