import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { ExportRequest } from "../../src/service/request.ts";
import { ALL, applied, TO_THE_END } from "../record/record-file.ts";
import { NOW } from "../task/tasks.ts";
import {
  ANN,
  BOB,
  change,
  EXPORT,
  IMPORT,
  never,
  ROOT,
  reasonOf,
  storedDisk,
  storedImage,
  type World,
  world,
} from "./world.ts";

let here: World;
beforeEach(async () => {
  here = await world();
});
afterEach(() => here[Symbol.asyncDispose]());

const ask = (given: Partial<ExportRequest> = {}, caller = ANN) =>
  here.service.exportImage(caller, { ...EXPORT, ...given }, never);
const objectsOf = async (given: Partial<ExportRequest>) => {
  const { spec } = (await ask(given)).task;
  return spec.kind === "export" ? spec.objects : [];
};

describe("an export to an archive", () => {
  it("is named <name>.raw.tar.gz, with the disk before all of the ending", async () => {
    await change(here, { image: { disks: [storedDisk("s-1"), storedDisk("s-2", { kind: "data" })] } });
    const write = { format: "tar.gz" };
    expect(await objectsOf({ write, object: { is: "made", prefix: "p" } })).toEqual([
      expect.stringMatching(/^p_image-1_id-\d+_system\.raw\.tar\.gz$/),
      expect.stringMatching(/^p_image-1_id-\d+_data1\.raw\.tar\.gz$/),
    ]);
  });

  it("is what an image that is kept raw becomes where the caller wants that", async () => {
    await change(here, { image: { format: "raw" } });
    expect(await objectsOf({ object: { is: "made" }, rawAs: "tar.gz" })).toEqual([
      expect.stringMatching(/\.raw\.tar\.gz$/),
    ]);
  });

  it("is not what other images become", async () => {
    expect(await objectsOf({ object: { is: "made" }, rawAs: "tar.gz" })).toEqual([
      expect.stringMatching(/\.qcow2$/),
    ]);
  });

  it("cannot be read back, and no image is kept in one", async () => {
    const write = { format: "tar.gz" };
    expect(await reasonOf(ask({ write, verify: "read back" }))).toBe("malformed");
    await change(here, { east: { imageWrite: write } });
    expect(await reasonOf(here.service.importImage(ANN, IMPORT, never))).toBe("malformed");
    const [disk] = IMPORT.disks;
    const disks = disk === undefined ? [] : [{ ...disk, format: "tar.gz" }];
    expect(await reasonOf(here.service.importImage(ANN, { ...IMPORT, region: "west", disks }, never))).toBe(
      "malformed",
    );
  });
});

describe("an export", () => {
  it("is accepted with all that was asked for", async () => {
    const { task, when } = await here.service.exportImage(
      { ...ANN, traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01" },
      { ...EXPORT, write: { format: "vhd" }, bandwidth: 5000, verify: "read back" },
      never,
    );
    expect([when, task]).toMatchObject([
      "now",
      {
        project: "p1",
        state: "queued",
        regions: ["east"],
        bandwidth: 5000,
        requestId: "request-1",
        traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        spec: {
          kind: "export",
          from: { kind: "image", image: "image-1" },
          destination: "east-bucket",
          objects: ["debian.qcow2"],
          format: "vhd",
          verify: "read back",
        },
        times: { acceptedAt: NOW },
      },
    ]);
  });

  it("keeps the format of the image when none is asked for", async () => {
    expect((await ask()).task.spec).toMatchObject({ format: "qcow2" });
  });

  it("calls its objects as asked, one for each disk", async () => {
    expect(await objectsOf({ object: { is: "given", name: "a/disk.tar.raw" } })).toEqual(["a/disk.tar.raw"]);
    await change(here, { image: { disks: [storedDisk("a"), storedDisk("b"), storedDisk("c")] } });
    const [to, from] = [{ destination: "p2-bucket" }, ROOT];
    const image = { project: "ops" };
    await change(here, { image });
    const { task } = await ask({ ...to, object: { is: "given", name: "x.y/disk.vhd" } }, from);
    expect(task.spec).toMatchObject({
      objects: ["x.y/disk_system.vhd", "x.y/disk_data1.vhd", "x.y/disk_data2.vhd"],
    });
  });

  it("makes names of prefix, image, task and the ending of the format", async () => {
    const { task } = await ask({ object: { is: "made", prefix: "MYOSS" }, write: { format: "vhd" } });
    expect(task.spec).toMatchObject({ objects: [`MYOSS_image-1_${task.id}.vhd`] });
  });

  it("of a volume makes it uploading until the task has ended", async () => {
    const from = { kind: "volume", volume: "v-1", inUse: "refuse" } as const;
    const { task } = await ask({ from, object: { is: "given", name: "v.raw" } });
    expect(task.spec).toMatchObject({ from: { kind: "volume", volume: "v-1" }, format: "raw" });
    expect((await here.service.volumes.get(ANN, "v-1")).entry.status).toBe("uploading");
    await here.service.cancelTask(ANN, task.id);
    expect((await here.service.volumes.get(ANN, "v-1")).entry.status).toBe("available");
  });

  it("that is rehearsed leaves nothing, and meets what the request would meet", async () => {
    await here.service.rehearse(ANN, EXPORT, never);
    expect((await here.service.listTasks(ANN, {})).total).toBe(0);
    await ask();
    expect(await reasonOf(here.service.rehearse(ANN, EXPORT, never))).toBe("export-unfinished");
  });
});

describe("an export is refused", () => {
  it("FJ-5: of an image of another project, which is not even there for a stranger", async () => {
    expect(await reasonOf(ask({}, BOB))).toBe("image-not-found");
    await change(here, { image: { visibility: "shared", sharedWith: ["p2"] } });
    expect(await reasonOf(ask({}, BOB))).toBe("not-owner");
  });

  it("FJ-6: a second time to the same destination, until the first has ended", async () => {
    const { task } = await ask();
    const again = { object: { is: "given", name: "other.qcow2" } } as const;
    expect(await reasonOf(ask(again))).toBe("export-unfinished");
    await here.file.record.claim(ALL);
    expect(await reasonOf(ask(again))).toBe("export-unfinished");
    await applied(here.file.record, task.id, ...TO_THE_END);
    expect(await reasonOf(ask(again))).toBe("accepted");
  });

  it("FJ-6: not to another destination; EX-E13: unless the image is to be exported alone", async () => {
    const other = { destination: "p2-bucket" } as const;
    await change(here, { image: { project: "p2" } });
    await ask({ alone: "image" }, BOB);
    expect(await reasonOf(ask({ ...other, alone: "image" }, BOB))).toBe("export-unfinished");
    expect(await reasonOf(ask(other, BOB))).toBe("accepted");
  });

  it("FJ-7: onto objects that are there, each of them", async () => {
    here.existing.add("east-bucket/debian_data1.qcow2");
    await change(here, { image: { disks: [storedDisk("a"), storedDisk("b")] } });
    expect(await reasonOf(ask())).toBe("object-exists");
    here.existing.clear();
    expect(await reasonOf(ask())).toBe("accepted");
  });

  it("onto an object that another task is about to write", async () => {
    await ask();
    await here.file.record.catalogue.images.add(storedImage({ id: "image-2", name: "two" }));
    expect(await reasonOf(ask({ from: { kind: "image", image: "image-2" } }))).toBe("object-unfinished");
  });

  it("before any store is asked, where the record says enough", async () => {
    await ask();
    await reasonOf(ask());
    expect(here.probes).toEqual(["east-bucket"]);
  });

  it.each<[string, Parameters<typeof change>[1]]>([
    ["exports-refused", { project: { exports: "refused" } }],
    ["image-status", { image: { status: "Creating" } }],
    ["image-marketplace", { image: { productCode: "product" } }],
    ["image-marketplace", { image: { disks: [storedDisk("a", { marketplaceOrigin: "product" })] } }],
    ["image-encrypted", { image: { encrypted: "yes" } }],
    ["snapshot-missing", { image: { disks: [{ ...storedDisk("a"), object: undefined as never }] } }],
    ["region-import-export", { east: { importExport: "refused" } }],
    ["region-format", { east: { exportFormats: ["raw"] } }],
    ["volume-status", {}],
  ])("%s (%#)", async (reason, changes) => {
    await change(here, changes);
    if (reason === "volume-status") await change(here, { volume: { status: "in-use" } });
    const from = { kind: "volume", volume: "v-1", inUse: "refuse" } as const;
    expect(await reasonOf(ask(reason === "volume-status" ? { from } : {}))).toBe(reason);
  });

  it("EV-7: of a volume in use, unless that is allowed", async () => {
    await change(here, { volume: { status: "in-use" } });
    const from = { kind: "volume", volume: "v-1", inUse: "allow" } as const;
    expect(await reasonOf(ask({ from }))).toBe("accepted");
    expect(await reasonOf(ask({ from, object: { is: "given", name: "x" } }))).toBe("volume-status");
  });

  it("EX-7: to another region; and to what the caller does not see", async () => {
    expect(await reasonOf(ask({ destination: "west-bucket" }))).toBe("destination-region");
    expect(await reasonOf(ask({ destination: "p2-bucket" }))).toBe("destination-not-found");
    expect(await reasonOf(ask({ destination: "nowhere" }))).toBe("destination-not-found");
    expect(await reasonOf(ask({ region: "nowhere" }))).toBe("region-not-found");
    expect(await reasonOf(ask({ region: "west" }))).toBe("image-not-found");
  });

  it.each([
    "",
    "../disk",
    "a/../../etc/passwd",
    "/etc/passwd",
    "a//b",
    ".",
    "a\u0000b",
    "a\nb",
    "a\\..\\b",
    "a\ud800",
    "ä".repeat(501),
  ])("with an object named %j", async (name) => {
    expect(await reasonOf(ask({ object: { is: "given", name } }))).toBe("malformed");
  });

  it("in a format that nobody can write, and with a rate that is none", async () => {
    expect(await reasonOf(ask({ write: { format: "vmdk" } }))).toBe("malformed");
    expect(await reasonOf(ask({ write: { format: "constructor" } }))).toBe("malformed");
    for (const bandwidth of [-1, 1.5, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(await reasonOf(ask({ bandwidth }))).toBe("malformed");
    }
  });

  it("beyond the quotas of the project", async () => {
    const quotas = { images: 9, snapshots: 9, exports: 1, weeklyExports: 2, unfinished: 9 };
    await change(here, { project: { quotas } });
    const named = (name: string) => ({ object: { is: "given", name } }) as const;
    const other = { id: "image-2", name: "two" };
    await here.file.record.catalogue.images.add(storedImage(other));
    const second = { from: { kind: "image", image: "image-2" } } as const;
    const { task } = await ask(named("a"));
    expect(await reasonOf(ask({ ...second, ...named("b") }))).toBe("quota-exports");
    await here.service.cancelTask(ANN, task.id);
    const next = await ask(named("b"));
    await here.service.cancelTask(ANN, next.task.id);
    expect(await reasonOf(ask(named("c")))).toBe("quota-weekly-exports");
    here.time = NOW + 8 * 86_400_000;
    expect(await reasonOf(ask(named("c")))).toBe("accepted");
  });
});

describe("a client token of an export", () => {
  const token = { value: "token-1", action: "ExportImage" };

  it("gives back the same task, also when the image has changed since", async () => {
    const first = await ask({ token });
    await change(here, { image: { status: "Deprecated" } });
    const again = await ask({ token });
    expect([again.when, again.task.id]).toEqual(["before", first.task.id]);
    expect((await here.service.listTasks(ANN, {})).total).toBe(1);
  });

  it("gives the same task to all who ask at the same time", async () => {
    const answers = await Promise.all([1, 2, 3, 4].map(() => ask({ token })));
    expect(new Set(answers.map(({ task }) => task.id)).size).toBe(1);
  });

  it("refuses another request, and is another token for another project", async () => {
    await ask({ token });
    expect(await reasonOf(ask({ token, bandwidth: 1 }))).toBe("token-mismatch");
    expect(await reasonOf(ask({ token }, BOB))).toBe("image-not-found");
  });

  it("remembers no refusal", async () => {
    here.existing.add("east-bucket/debian.qcow2");
    expect(await reasonOf(ask({ token }))).toBe("object-exists");
    here.existing.clear();
    expect(await reasonOf(ask({ token }))).toBe("accepted");
  });

  it.each(["", "x".repeat(65), "käse"])("cannot be %j", async (value) => {
    expect(await reasonOf(ask({ token: { value, action: "a" } }))).toBe("token-malformed");
  });
});
