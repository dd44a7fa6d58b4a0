import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { CopyRequest } from "../../src/service/request.ts";
import { ALL, applied, TO_THE_END } from "../record/record-file.ts";
import { ANN, BOB, COPY, change, never, reasonOf, storedDisk, type World, world } from "./world.ts";

let here: World;
beforeEach(async () => {
  here = await world();
});
afterEach(() => here[Symbol.asyncDispose]());

const ask = (given: Partial<CopyRequest> = {}, caller = ANN) =>
  here.service.copyImage(caller, { ...COPY, ...given }, never);
const targetOf = async (copy: Awaited<ReturnType<typeof ask>>) => {
  const { spec } = copy.task;
  return spec.kind === "copy" ? spec.to.image : "";
};

describe("a copy", () => {
  it("CP-17: has its new image at once, which is like the source", async () => {
    await change(here, { image: { osType: "windows", description: "words" } });
    const copy = await ask({ target: { name: "copied", tags: [{ key: "a", value: "" }] } });
    const { entry } = await here.service.images.get(ANN, await targetOf(copy));
    expect(entry).toMatchObject({
      project: "p1",
      region: "west",
      store: "west-images",
      name: "copied",
      description: "words",
      osType: "windows",
      status: "Waiting",
      tags: [{ key: "a", value: "" }],
      source: { image: "image-1", region: "east" },
      disks: [{ kind: "system", virtualSize: 1024 }],
    });
    expect(copy.task).toMatchObject({
      regions: ["east", "west"],
      spec: { to: { destination: "west-images", objects: [`${entry.id}.qcow2`] } },
    });
  });

  it("D3: within one region takes that region once", async () => {
    const { task } = await ask({ to: "east", target: { name: "twin" } });
    expect(task.regions).toEqual(["east"]);
  });

  it("CP-5: stays in its region when no other is named", async () => {
    const { to: _, ...request } = COPY;
    const { task } = await here.service.copyImage(ANN, { ...request, target: { name: "twin" } }, never);
    expect(task.spec).toMatchObject({ region: "east" });
  });

  it("D4: of the same image to the same region is refused until the first has ended", async () => {
    const first = await ask({ target: { name: "one" } });
    expect(await reasonOf(ask({ target: { name: "two" } }))).toBe("copy-unfinished");
    expect(await reasonOf(ask({ to: "east", target: { name: "two" } }))).toBe("accepted");
    await here.service.cancelTask(ANN, first.task.id);
    expect(await reasonOf(ask({ target: { name: "two" } }))).toBe("accepted");
  });

  it("D4, CP-E24: cannot be copied itself before it is there", async () => {
    const first = await ask();
    const image = await targetOf(first);
    const onward = { image, from: "west", to: "east", target: { name: "onward" } };
    expect(await reasonOf(ask(onward))).toBe("image-being-copied");
    await here.file.record.claim(ALL);
    expect(await reasonOf(ask(onward))).toBe("image-being-copied");
    const object = {
      object: "x",
      format: "qcow2",
      size: 1,
      virtualSize: 1024,
      guestDigest: "",
      checksums: {},
    };
    await applied(here.file.record, first.task.id, ...TO_THE_END.slice(0, -1), {
      kind: "succeeded",
      result: { objects: [{ ...object, verified: "by the store" }] },
    });
    expect(await reasonOf(ask(onward))).toBe("accepted");
  });

  it("CP-14: of a shared image stays within its region", async () => {
    await change(here, { image: { visibility: "shared", sharedWith: ["p2"] } });
    expect(await reasonOf(ask({}, BOB))).toBe("image-shared");
    expect(await reasonOf(ask({ to: "east" }, BOB))).toBe("accepted");
  });

  it("CP-15: makes an image that cannot be removed before the copy has ended", async () => {
    const image = await targetOf(await ask());
    const admin = { ...ANN, role: "admin" } as const;
    expect(await reasonOf(here.service.images.unregister(admin, image, 1))).toBe("changed");
  });
});

it("D4: a copy stands in the way of its own project alone", async () => {
  await change(here, { image: { visibility: "shared", sharedWith: ["p2"] } });
  const within = { to: "east", target: { name: "twin" } };
  await ask(within);
  expect(await reasonOf(ask(within, BOB))).toBe("accepted");
  expect(await reasonOf(ask({ ...within, target: { name: "other" } }, BOB))).toBe("copy-unfinished");
});

describe("a copy is refused", () => {
  const OLD = Date.UTC(2013, 6, 14);

  it.each<[string, string, Parameters<typeof change>[1]]>([
    ["CP-E15", "payment-outstanding", { project: { payment: "outstanding" } }],
    ["CP-E31", "image-not-published", { image: { productCode: "x", publishedRegions: ["east"] } }],
    ["CP-E46", "image-cloud-box", { image: { cloudBox: "box" } }],
    ["CP-E45", "image-vhd", { image: { format: "vhd" }, west: { vhdCopy: "refused" } }],
    ["CP-E45", "image-vhd", { image: { format: "vhd-fixed" }, east: { vhdCopy: "refused" } }],
    ["CP-E26", "snapshot-too-old", { image: { disks: [storedDisk("a", { createdAt: OLD })] } }],
    ["CP-E27", "snapshot-refused", { image: { disks: [storedDisk("a", { createImage: "refused" })] } }],
    ["CP-E4", "image-status", { image: { status: "CreateFailed" } }],
    ["CP-E5", "snapshot-missing", { image: { disks: [{ ...storedDisk("a"), object: undefined as never }] } }],
    ["CP-E25", "region-copy", { east: { copy: "refused" } }],
    ["CP-E25", "region-copy", { west: { copy: "refused" } }],
    ["CP-E20", "region-egress", { east: { egress: "refused" } }],
    ["CP-E21", "region-ingress", { west: { ingressFrom: ["north", "south"] } }],
    ["CP-E39", "region-compliance", { east: { complianceDeny: ["west"] } }],
    ["CP-E29", "image-encrypted", { image: { encrypted: "yes" } }],
    ["CP-E29", "image-encrypted", { image: { disks: [storedDisk("a", { encrypted: "yes" })] } }],
    ["CP-E42", "image-too-large", { east: { largestCopy: 511 } }],
    [
      "CP-E22",
      "quota-images",
      { project: { quotas: { images: 0, snapshots: 9, exports: 9, weeklyExports: 9, unfinished: 9 } } },
    ],
    [
      "CP-E23",
      "quota-snapshots",
      { project: { quotas: { images: 9, snapshots: 0, exports: 9, weeklyExports: 9, unfinished: 9 } } },
    ],
  ])("%s: %s", async (_, reason, changes) => {
    await change(here, changes);
    expect(await reasonOf(ask())).toBe(reason);
  });

  it("CP-E21: and the refusal names the regions that may", async () => {
    await change(here, { west: { ingressFrom: ["north", "south"] } });
    await expect(ask()).rejects.toMatchObject({ details: { rule: "CP-E21", regions: "north, south" } });
  });

  it("CP-E20, CP-E21: not within one region", async () => {
    await change(here, { east: { egress: "refused", ingressFrom: [] } });
    expect(await reasonOf(ask({ to: "east", target: { name: "twin" } }))).toBe("accepted");
  });

  it("CP-E11, CP-E32: of community images, and of products that the project has no right to", async () => {
    await change(here, { image: { visibility: "community" } });
    expect(await reasonOf(ask({ to: "east" }, BOB))).toBe("image-community");
    const product = { productCode: "x", publishedRegions: ["east", "west"] };
    await change(here, { image: { visibility: "marketplace", ...product } });
    expect(await reasonOf(ask({}, BOB))).toBe("image-not-authorized");
    await change(here, { image: { authorizedProjects: ["p2"] } });
    expect(await reasonOf(ask({}, BOB))).toBe("accepted");
  });

  it("CP-E2, CP-E3, CP-E47: of what is not there, or not there for the caller", async () => {
    expect(await reasonOf(ask({ from: "nowhere" }))).toBe("source-region-not-found");
    expect(await reasonOf(ask({ to: "nowhere" }))).toBe("region-not-found");
    expect(await reasonOf(ask({ image: "none" }))).toBe("image-not-found");
    expect(await reasonOf(ask({ from: "west" }))).toBe("image-not-found");
    expect(await reasonOf(ask({}, BOB))).toBe("image-not-found");
  });

  it("CP-E6: under a name that is taken in the target region, unless that is allowed", async () => {
    expect(await reasonOf(ask({ to: "east" }))).toBe("image-name-taken");
    expect(await reasonOf(ask({ to: "east", target: { sameName: "allow" } }))).toBe("accepted");
  });

  it("CP-E16, CP-E49: with tags and resource groups that cannot be", async () => {
    const tag = { key: "a", value: "1" };
    expect(await reasonOf(ask({ target: { tags: [tag, tag] } }))).toBe("malformed");
    expect(
      await reasonOf(
        ask({ target: { tags: Array.from({ length: 21 }, (_, n) => ({ key: `${n}`, value: "" })) } }),
      ),
    ).toBe("malformed");
    expect(await reasonOf(ask({ target: { resourceGroup: "rg" } }))).toBe("resource-group-not-found");
    await change(here, { project: { resourceGroups: ["rg"] } });
    expect(await reasonOf(ask({ target: { resourceGroup: "rg" } }))).toBe("accepted");
  });

  it("into a region whose image store is not registered", async () => {
    await change(here, { west: { imageStore: "gone" } });
    expect(await reasonOf(ask())).toBe("region-image-store");
  });
});
