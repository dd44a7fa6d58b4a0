import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Configured, type RegisterPorts, registerConfigured } from "../../src/daemon/register.ts";
import { Fault } from "../../src/fault/fault.ts";
import { type RecordFile, recordFile } from "../record/record-file.ts";

let file: RecordFile;
let missing: string[];
beforeEach(async () => {
  file = await recordFile();
  missing = [];
});
afterEach(() => file[Symbol.asyncDispose]());

const EAST = { id: "east", imageStore: "quay" };
const QUAY = {
  name: "quay",
  region: "east",
  provider: "directory",
  container: "/q",
  location: "/q/",
} as const;
const VOLUME = { id: "v", project: "p", region: "east", root: "r", path: "v.raw" };

async function register(given: Partial<Configured>, ports: Partial<RegisterPorts> = {}): Promise<void> {
  await registerConfigured(
    { regions: [EAST], destinations: [QUAY], projects: [], volumes: [], ...given },
    {
      catalogue: file.record.catalogue,
      measure: async () => 4096,
      onMissing: (volume) => missing.push(volume),
      now: () => 7,
      ...ports,
    },
  );
}

const shelves = () => file.record.catalogue;
const region = async () => (await shelves().regions.get("east"))?.entry;

describe("what is configured", () => {
  it("is in the catalogue, and what else is there stays", async () => {
    await register({});
    await shelves().destinations.add({ ...QUAY, name: "by-hand" });
    await register({
      destinations: [{ ...QUAY, location: "/other/" }],
      projects: [{ id: "p", quotas: { images: 3 } }],
    });
    expect((await shelves().destinations.list({ limit: 9 })).map(({ entry }) => entry)).toEqual([
      { ...QUAY, name: "by-hand" },
      { ...QUAY, location: "/other/" },
    ]);
    expect((await shelves().projects.get("p"))?.entry.quotas).toMatchObject({ images: 3, exports: 20_000 });
  });

  it("is not written again when nothing has changed", async () => {
    const given = { projects: [{ id: "p" }], volumes: [VOLUME] };
    await register(given);
    await register(given, { now: () => 8 });
    const { regions, destinations, projects, volumes } = shelves();
    const versions = await Promise.all([
      regions.get("east"),
      destinations.get("quay"),
      projects.get("p"),
      volumes.get("v"),
    ]);
    expect(versions.map((found) => found?.version)).toEqual([1, 1, 1, 1]);
  });

  it("wins over what was set meanwhile, but for limits that it does not name", async () => {
    await register({ regions: [{ ...EAST, slots: { copy: 2 } }] });
    const found = await shelves().regions.get("east");
    if (found === undefined) throw new Error("there is no region");
    const slots = { copy: 9, export: 8, import: 7 };
    await shelves().regions.replace({ ...found.entry, copy: "refused", slots, bandwidth: 50 }, found.version);

    await register({ regions: [{ ...EAST, slots: { copy: 2 } }] });
    expect(await region()).toMatchObject({
      copy: "allowed",
      slots: { copy: 2, export: 8, import: 7 },
      bandwidth: 50,
    });
    await register({ regions: [{ ...EAST, bandwidth: 0 }] });
    expect(await region()).toMatchObject({ slots: { copy: 2, export: 8, import: 7 }, bandwidth: 0 });
  });
});

describe("a configured volume", () => {
  it("is as large as its content says, unless its size is given", async () => {
    await register({ volumes: [VOLUME, { ...VOLUME, id: "w", size: 512 }] });
    const { volumes } = shelves();
    expect([(await volumes.get("v"))?.entry.size, (await volumes.get("w"))?.entry.size]).toEqual([4096, 512]);
  });

  it("that cannot be read now is named, and keeps the size that it had", async () => {
    await register({ volumes: [VOLUME] });
    const gone = { measure: () => Promise.reject(new Fault("NOT_FOUND", "gone")) };
    await register({ volumes: [VOLUME, { ...VOLUME, id: "w" }] }, gone);
    expect(missing).toEqual(["v", "w"]);
    const { volumes } = shelves();
    expect([(await volumes.get("v"))?.entry.size, (await volumes.get("w"))?.entry.size]).toEqual([4096, 0]);
  });

  it("that a task reads goes on being read", async () => {
    await register({ volumes: [VOLUME] });
    const found = await shelves().volumes.get("v");
    if (found === undefined) throw new Error("there is no volume");
    const reading = { status: "uploading", statusBefore: "available", updatedAt: 6 } as const;
    await shelves().volumes.replace({ ...found.entry, ...reading }, found.version);
    await register({ volumes: [{ ...VOLUME, name: "renamed" }] });
    expect((await shelves().volumes.get("v"))?.entry).toMatchObject({ ...reading, name: "renamed" });
  });
});
