/** What becomes of the keys of copies; which requests are refused, the dialect's tests say (CP-E33 to CP-E48). */
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Image } from "../../src/catalog/image.ts";
import type { Key } from "../../src/catalog/key.ts";
import { openKeyring } from "../../src/keyring/keyring.ts";
import type { CopyEncryption, CopyRequest } from "../../src/service/request.ts";
import type { Encryption } from "../../src/task/spec.ts";
import {
  ANN,
  BOB,
  COPY,
  change,
  EXPORT,
  never,
  ROOT,
  reasonOf,
  storedDisk,
  type World,
  world,
} from "./world.ts";

let here: World;
beforeEach(async () => {
  here = await world();
  await change(here, {
    project: { keyService: "authorized", ownKeys: "allowed" },
    east: { encryptOnCopy: "allowed", ownKeys: "allowed" },
    west: { encryptOnCopy: "allowed", ownKeys: "allowed" },
  });
});
afterEach(() => here[Symbol.asyncDispose]());

const YES: CopyEncryption = { wanted: "yes" };
const ask = (given: Partial<CopyRequest> = {}, caller = ANN) =>
  here.service.copyImage(caller, { ...COPY, ...given }, never);
const within = { to: "east", target: { name: "twin" } } as const;

/** The image that an accepted copy makes, as its record has it. */
async function madeBy(copy: ReturnType<typeof ask>): Promise<Image> {
  const { spec } = (await copy).task;
  if (spec.kind !== "copy") throw new Error("no copy was accepted");
  const { entry } = (await here.file.record.catalogue.images.get(spec.to.image)) ?? {};
  if (entry === undefined) throw new Error("the copy has no image");
  expect(spec.to.encryption).toEqual(entry.encryption);
  return entry;
}

const register = (id: string, region: string, project = "p1") =>
  here.service.keys.register(ROOT, {
    id,
    project,
    region,
    state: "Enabled",
    serviceGrant: "yes",
    tagGrant: "yes",
    createdAt: here.time,
  });

/** The stored image is encrypted with this key. */
async function encrypted(key: string): Promise<Encryption> {
  const dataKey = await openKeyring(here.keys).wrapFresh({ key, image: "image-1" });
  const encryption = { key, algorithm: "AES-256", dataKey };
  const disks = [storedDisk("s-1", { encrypted: "yes" })];
  await change(here, { image: { encrypted: "yes", key, encryption, disks } });
  return encryption;
}

describe("an encrypted copy", () => {
  it("has a data key of its own under the key that was named", async () => {
    await register("key-1", "west");
    const made = await madeBy(ask({ encryption: { ...YES, key: "key-1" } }));
    expect(made).toMatchObject({
      encrypted: "yes",
      key: "key-1",
      encryption: { key: "key-1", algorithm: "AES-256" },
      disks: [{ encrypted: "yes" }],
    });
    const dataKey = made.encryption?.dataKey ?? "";
    const opened = await openKeyring(here.keys).unwrap({ key: "key-1", image: made.id }, dataKey);
    expect(opened.symmetricKeySize).toBe(32);
  });

  it("has the key of the service where none is named, which is made on first use", async () => {
    const one = await madeBy(ask({ encryption: YES }));
    const other = await madeBy(ask({ encryption: YES, ...within }));
    expect([one.key, other.key]).toEqual(["service-key/west", "service-key/east"]);
    expect(readdirSync(here.keys)).toHaveLength(2);
    expect(one.encryption?.dataKey).not.toBe(other.encryption?.dataKey);
    expect(
      (await here.service.keys.list(ROOT, { limit: 9 })).entries.map(({ entry }) => entry),
    ).toMatchObject([
      { id: "service-key/east", region: "east", project: "" },
      { id: "service-key/west", region: "west", project: "" },
    ]);
    expect((await here.service.keys.list(ANN, { limit: 9 })).entries).toEqual([]);
  });

  it("is what a project gets that encrypts whatever is written, though nothing is said", async () => {
    const { projects } = here.file.record.catalogue;
    const { entry, version } = (await projects.get("p1")) ?? (undefined as never);
    await projects.replace({ ...entry, defaultEncryption: "on" }, version);
    expect((await madeBy(ask())).encrypted).toBe("yes");
    expect((await madeBy(ask({ ...within, encryption: { wanted: "unsaid" } }))).encrypted).toBe("yes");
  });

  it("CP-E37: takes the algorithm that the region has and this daemon, too", async () => {
    await change(here, { west: { encryptAlgorithms: ["AES-256", "SM4-128"] } });
    expect(await reasonOf(ask({ encryption: { ...YES, algorithm: "SM4-128" } }))).toBe("region-algorithm");
    const made = await madeBy(ask({ encryption: { ...YES, algorithm: "AES-256" } }));
    expect(made.encryption?.algorithm).toBe("AES-256");
  });

  it("CP-E41: is refused when the key of the service was made and is lost: another would open nothing", async () => {
    await ask({ encryption: YES });
    rmSync(here.keys, { recursive: true });
    expect(await reasonOf(ask({ encryption: YES, target: { name: "b" } }))).toBe("data-key-failed");
    expect(here.notes).toContain("key-unusable");
  });

  it("CP-E41: is refused when the keyring cannot be written, and leaves nothing", async () => {
    writeFileSync(here.keys, "no directory");
    expect(await reasonOf(ask({ encryption: YES }))).toBe("data-key-failed");
    expect((await here.service.listTasks(ANN, {})).tasks).toEqual([]);
    expect(await here.file.record.catalogue.keys.get("service-key/west")).toBeUndefined();
  });

  it("leaves its plain data key nowhere on the disk", async () => {
    const { id, key = "", encryption } = await madeBy(ask({ encryption: YES }));
    const opened = await openKeyring(here.keys).unwrap({ key, image: id }, encryption?.dataKey ?? "");
    const directory = dirname(here.file.path);
    const kept = readdirSync(directory, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map(({ parentPath, name }) => readFileSync(join(parentPath, name)));
    expect(kept.some((bytes) => bytes.includes(encryption?.dataKey ?? "?"))).toBe(true);
    const plain = opened.export();
    for (const form of [plain, plain.toString("base64"), plain.toString("hex")]) {
      expect(kept.some((bytes) => bytes.includes(form))).toBe(false);
    }
  });
});

describe("a copy of an encrypted image", () => {
  beforeEach(() => register("key-e", "east"));

  it("stays encrypted, under a data key of its own", async () => {
    const source = await encrypted("key-e");
    const near = await madeBy(ask(within));
    const far = await madeBy(ask());
    // Its owner's key stays with it where it is good: in its region.
    expect([near.key, far.key]).toEqual(["key-e", "service-key/west"]);
    expect(new Set([source, near.encryption, far.encryption].map((one) => one?.dataKey)).size).toBe(3);
  });

  it("takes no other project's key along", async () => {
    await encrypted("key-e");
    await change(here, { image: { visibility: "shared", sharedWith: ["p2"] } });
    const { projects } = here.file.record.catalogue;
    const { entry } = (await projects.get("p1")) ?? (undefined as never);
    await projects.add({ ...entry, id: "p2" });
    expect((await madeBy(ask(within, BOB))).key).toBe("service-key/east");
  });

  it("D6, CP-E28: becomes plain in another region only", async () => {
    await encrypted("key-e");
    const plain = { encryption: { wanted: "no" } } as const;
    expect(await reasonOf(ask({ ...within, ...plain }))).toBe("region-same");
    const made = await madeBy(ask(plain));
    expect([made.encrypted, made.key, made.encryption, made.disks[0]?.encrypted]).toEqual([
      "no",
      undefined,
      undefined,
      "no",
    ]);
  });

  it("CP-E33 is about plain images: it needs no leave to encrypt on the way", async () => {
    await encrypted("key-e");
    await change(here, { west: { encryptOnCopy: "refused" } });
    expect(await reasonOf(ask())).toBe("accepted");
  });

  const unusable: readonly (readonly [string, () => Promise<unknown> | unknown])[] = [
    ["is disabled", () => changeKey({ state: "Disabled" })],
    ["is about to be deleted", () => changeKey({ state: "PendingDeletion" })],
    ["may not be used by the service", () => changeKey({ serviceGrant: "no" })],
    ["has lost its file", () => rmSync(here.keys, { recursive: true })],
    [
      "has a damaged file",
      () => readdirSync(here.keys).forEach((name) => void writeFileSync(join(here.keys, name), "{}")),
    ],
    ["is another than wrapped its data key", () => change(here, { image: { encryption: OTHER } })],
  ];
  const OTHER = { key: "key-e", algorithm: "AES-256", dataKey: Buffer.alloc(60).toString("base64") };
  const changeKey = async (given: object): Promise<void> => {
    const { entry, version } = await here.service.keys.get(ROOT, "key-e");
    await here.service.keys.replace(ROOT, { ...entry, ...given }, version);
  };

  it.each(unusable)("CP-E29: is refused when its key %s", async (_, spoil) => {
    await encrypted("key-e");
    await spoil();
    expect(await reasonOf(ask(within))).toBe("image-encrypted");
    expect(await reasonOf(ask())).toBe("image-encrypted");
  });

  it("is no way to export it (EX-E11)", async () => {
    await encrypted("key-e");
    expect(await reasonOf(here.service.exportImage(ANN, EXPORT, never))).toBe("image-encrypted");
  });
});

describe("the catalogue", () => {
  it("keeps the data key of an image, whatever replaces its entry", async () => {
    await register("key-e", "east");
    const encryption = await encrypted("key-e");
    const { images } = here.service;
    const { entry, version } = await images.get(ROOT, "image-1");
    const { encryption: _, key: __, ...rest } = entry;
    await images.replace(ROOT, { ...rest, name: "renamed", encrypted: "no" }, version);
    expect((await images.get(ROOT, "image-1")).entry).toMatchObject({
      name: "renamed",
      encrypted: "yes",
      key: "key-e",
      encryption,
    });
  });

  it("keeps a key that an image needs", async () => {
    await register("key-e", "east");
    await encrypted("key-e");
    await expect(here.service.keys.unregister(ROOT, "key-e", 1)).rejects.toMatchObject({ code: "CONFLICT" });
    await register("key-f", "east");
    await here.service.keys.unregister(ROOT, "key-f", 1);
  });

  it("tells others than its owner nothing of an image's key", async () => {
    await register("key-e", "east");
    await encrypted("key-e");
    await change(here, { image: { visibility: "shared", sharedWith: ["p2"] } });
    const { entry } = await here.service.images.get(BOB, "image-1");
    expect([entry.encrypted, entry.key, entry.encryption]).toEqual(["yes", undefined, undefined]);
  });

  it("leaves the ids of the service's keys to the service", async () => {
    expect(await reasonOf(register("service-key/west", "west"))).toBe("malformed");
    expect(await reasonOf(register("service-key/west", "west", ""))).toBe("malformed");
    expect(await reasonOf(register("key-1", "west", ""))).toBe("malformed");
    expect(readdirSync(dirname(here.keys))).not.toContain("keys");
  });
});

describe("a region's own key", () => {
  const changed = async (given: Partial<Key>, caller = ROOT) => {
    const { entry, version } = await here.service.keys.get(ROOT, "service-key/west");
    return here.service.keys.replace(caller, { ...entry, ...given }, version);
  };
  beforeEach(async () => {
    const { task } = await ask({ encryption: YES });
    await here.service.cancelTask(ANN, task.id);
  });

  it("CP-E43: encrypts nothing while an admin has it disabled", async () => {
    await changed({ state: "Disabled" });
    expect(await reasonOf(ask({ encryption: YES }))).toBe("key-state");
    await changed({ state: "Enabled" });
    expect((await madeBy(ask({ encryption: YES }))).key).toBe("service-key/west");
  });

  it("CP-E34: encrypts nothing once the service may not use it", async () => {
    await changed({ serviceGrant: "no" });
    expect(await reasonOf(ask({ encryption: YES }))).toBe("key-grant");
  });

  it("becomes no project's, and no other region's; users do not change it", async () => {
    expect(await reasonOf(changed({ project: "p1" }))).toBe("malformed");
    expect(await reasonOf(changed({ region: "east" }))).toBe("malformed");
    expect(await reasonOf(changed({ state: "Disabled" }, ANN))).toBe("admins-only");
  });
});
