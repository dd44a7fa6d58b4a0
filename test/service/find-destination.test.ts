import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { DestinationWanted } from "../../src/service/find-destination.ts";
import { ANN, BOB, change, ROOT, reasonOf, type World, world } from "./world.ts";

let here: World;
beforeEach(async () => {
  here = await world();
  const { destinations } = here.file.record.catalogue;
  const container = { provider: "swift", container: "backups", location: "swift://backups/" } as const;
  await destinations.add({ ...container, name: "a-common", region: "east" });
  await destinations.add({ ...container, name: "b-of-p1", region: "east", project: "p1" });
  await destinations.add({ ...container, name: "c-west", region: "west" });
  await destinations.add({
    ...container,
    name: "d-oss",
    region: "east",
    provider: "oss",
    container: "bucket",
  });
  await destinations.add({
    ...container,
    name: "e-of-p2",
    region: "east",
    container: "theirs",
    project: "p2",
  });
  await change(here, { west: { swiftApiVersion: "v2" } });
});
afterEach(() => here[Symbol.asyncDispose]());

const found = (wanted: DestinationWanted, caller = ANN) =>
  here.service.findDestination(caller, wanted).then(({ name }) => name);

describe("a container", () => {
  it("is the project's own before one that all may use", async () => {
    expect(await found({ container: "backups", region: "east" })).toBe("b-of-p1");
    expect(await found({ container: "backups", region: "east" }, BOB)).toBe("a-common");
  });

  it("is looked for in its region, or everywhere", async () => {
    expect(await found({ container: "backups", region: "west" })).toBe("c-west");
    expect(await found({ container: "backups", swiftApiVersion: "v2" })).toBe("c-west");
  });

  it("of another project is not there", async () => {
    expect(await found({ container: "theirs" }, BOB)).toBe("e-of-p2");
    expect(await found({ container: "theirs" }, ROOT)).toBe("e-of-p2");
    expect(await reasonOf(found({ container: "theirs" }))).toBe("destination-not-found");
  });

  it("of another provider is not there", async () => {
    expect(await found({ container: "bucket", provider: "oss" })).toBe("d-oss");
    expect(await reasonOf(found({ container: "bucket", provider: "swift" }))).toBe("destination-not-found");
  });

  it("FJ-3: is written as its region writes containers", async () => {
    expect(await found({ container: "backups", region: "east", swiftApiVersion: "v1" })).toBe("b-of-p1");
    const misfit = { container: "backups", region: "east", swiftApiVersion: "v2" } as const;
    expect(await reasonOf(found(misfit))).toBe("container-form");
  });
});
