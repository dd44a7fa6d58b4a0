/** Encrypted copies over Connect: what a request may say of them, what is shown of them, and a region's own key. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { change, storedDisk } from "../service/world.ts";
import { type Endpoint, endpoint, post, TOKENS } from "./endpoint.ts";

let here: Endpoint;
beforeEach(async () => {
  here = await endpoint();
  await change(here.world, {
    project: { keyService: "authorized", ownKeys: "allowed" },
    east: { encryptOnCopy: "allowed", ownKeys: "allowed" },
    west: { encryptOnCopy: "allowed", ownKeys: "allowed" },
  });
});
afterEach(() => here[Symbol.asyncDispose]());

const COPY = { imageId: "image-1", sourceRegion: "east", targetRegion: "west" };
const OWN_KEY = { id: "service-key/west", region: "west", serviceGrant: true, tagGrant: true };

const copy = (said: object) => post(here.url, "TaskService/CopyImage", { ...COPY, ...said });
const asRoot = (method: string, body: object) =>
  post(here.url, method, body, { authorization: `Bearer ${TOKENS.root}` });
const registerKey = (given: object = {}) =>
  asRoot("AdminService/RegisterKey", {
    key: { ...OWN_KEY, id: "key-1", project: "p1", ...given },
  });
const setState = (state: string, version: string) =>
  asRoot("AdminService/ReplaceKey", { key: { ...OWN_KEY, state, version } });

/** What is listed of the image that an accepted copy makes. */
async function madeBy(copied: ReturnType<typeof copy>) {
  const { body } = await copied;
  const { task } = body as { task?: { copySpec: { image: { imageId: string } } } };
  const id = task?.copySpec.image.imageId ?? JSON.stringify(body);
  const one = await post(here.url, "CatalogService/GetImage", { id });
  const all = await post(here.url, "CatalogService/ListImages", { region: "west" });
  expect(all.body["images"]).toEqual([one.body["image"]]);
  return one.body["image"];
}

/** Its code of Connect, our code and the reason. */
async function refusalOf(asked: ReturnType<typeof post>) {
  const { body } = await asked;
  const [detail] = (body["details"] ?? []) as { debug: { code: string; reason?: string } }[];
  return [body["code"], detail?.debug.code, detail?.debug.reason];
}

describe("a copy", () => {
  it("is encrypted with the region's own key where none is named", async () => {
    const image = await madeBy(copy({ encrypted: {} }));
    expect(image).toMatchObject({ encrypted: true, keyId: "service-key/west", disks: [{ encrypted: true }] });
  });

  it("is encrypted with the key that is named", async () => {
    await registerKey();
    const image = await madeBy(copy({ encrypted: { keyId: "key-1" } }));
    expect(image).toMatchObject({ encrypted: true, keyId: "key-1" });
  });

  it("is plain where it is to be", async () => {
    expect(await madeBy(copy({ plain: {} }))).toMatchObject({ encrypted: false, keyId: "" });
  });

  it("is plain where nothing is said of a plain image", async () => {
    expect(await madeBy(copy({}))).toMatchObject({ encrypted: false, keyId: "" });
  });

  it("with a token is another request when it is to be encrypted", async () => {
    const options = { clientToken: "token-1" };
    await copy({ options });
    expect(await refusalOf(copy({ options, encrypted: {} }))).toEqual([
      ...["invalid_argument", "IDEMPOTENCY_MISMATCH", "token-mismatch"],
    ]);
  });
});

describe("a copy is refused, with code and reason", () => {
  const PRECONDITION = ["failed_precondition", "PRECONDITION"] as const;
  const PERMISSION = ["permission_denied", "PERMISSION"] as const;
  const none = async () => {};
  const world = (given: Parameters<typeof change>[1]) => () => change(here.world, given);
  const replaceProject = (given: object) => () =>
    asRoot("AdminService/ReplaceProject", { project: { id: "p1", version: "1", ...given } });
  const named = { encrypted: { keyId: "key-1" } };

  it.each<[string, () => Promise<unknown>, object, readonly (string | undefined)[]]>([
    ["with both said", none, { encrypted: {}, plain: {} }, ["invalid_argument", "USAGE", undefined]],
    ["with a key that is not there", none, named, ["not_found", "NOT_FOUND", "key-not-found"]],
    [
      "with a key of another project",
      () => registerKey({ project: "p2" }),
      named,
      ["not_found", "NOT_FOUND", "key-not-found"],
    ],
    [
      "with a key of another region",
      () => registerKey({ region: "east" }),
      named,
      ["not_found", "NOT_FOUND", "key-not-found"],
    ],
    [
      "with a key that is disabled",
      () => registerKey({ state: "KEY_STATE_DISABLED" }),
      named,
      [...PRECONDITION, "key-state"],
    ],
    [
      "with a key that the service may not use",
      () => registerKey({ serviceGrant: false }),
      named,
      [...PERMISSION, "key-grant"],
    ],
    [
      "without key management",
      replaceProject({}),
      { encrypted: {} },
      [...PRECONDITION, "key-service-disabled"],
    ],
    [
      "where plain images leave as they are",
      world({ west: { encryptOnCopy: "refused" } }),
      { encrypted: {} },
      [...PRECONDITION, "region-encrypt-on-copy"],
    ],
    [
      "where keys are not brought along",
      world({ west: { ownKeys: "refused" } }),
      named,
      [...PRECONDITION, "region-own-keys"],
    ],
    [
      "to a project that may not bring keys",
      replaceProject({ keyService: "KEY_SERVICE_AUTHORIZED" }),
      named,
      [...PERMISSION, "own-keys-refused"],
    ],
    [
      "as plain where all is encrypted",
      replaceProject({ defaultEncryption: true }),
      { plain: {} },
      [...PRECONDITION, "default-encryption"],
    ],
    [
      "of what nobody can decrypt",
      world({ image: { encrypted: "yes", disks: [storedDisk("s-1", { encrypted: "yes" })] } }),
      { plain: {} },
      [...PRECONDITION, "image-encrypted"],
    ],
  ])("%s", async (_, before, said, refused) => {
    await before();
    expect(await refusalOf(copy(said))).toEqual(refused);
  });
});

describe("a region's own key", () => {
  it("is made by the first copy, not by an admin", async () => {
    const refused = await refusalOf(asRoot("AdminService/RegisterKey", { key: OWN_KEY }));
    expect(refused).toEqual(["invalid_argument", "USAGE", "malformed"]);
    expect((await asRoot("AdminService/ListKeys", {})).body["keys"]).toEqual([]);
    await copy({ encrypted: {} });
    const { body } = await asRoot("AdminService/GetKey", { id: OWN_KEY.id });
    expect(body["key"]).toMatchObject({ ...OWN_KEY, project: "", state: "KEY_STATE_ENABLED", version: "1" });
  });

  it("encrypts nothing while an admin has it disabled", async () => {
    const { body } = await copy({ encrypted: {} });
    await post(here.url, "TaskService/CancelTask", { id: (body["task"] as { id: string }).id });
    expect((await setState("KEY_STATE_DISABLED", "1")).body["key"]).toMatchObject({
      state: "KEY_STATE_DISABLED",
      version: "2",
    });
    const refused = await refusalOf(copy({ encrypted: {} }));
    expect(refused).toEqual(["failed_precondition", "PRECONDITION", "key-state"]);
    await setState("KEY_STATE_ENABLED", "2");
    expect((await copy({ encrypted: {} })).status).toBe(200);
  });

  it("is not replaced by users, nor over a version that is old", async () => {
    await copy({ encrypted: {} });
    const asUser = post(here.url, "AdminService/ReplaceKey", { key: { ...OWN_KEY, version: "1" } });
    expect(await refusalOf(asUser)).toEqual(["permission_denied", "PERMISSION", "admins-only"]);
    await setState("KEY_STATE_DISABLED", "1");
    const late = await refusalOf(setState("KEY_STATE_ENABLED", "1"));
    expect(late).toEqual(["aborted", "CONFLICT", "changed"]);
  });
});
