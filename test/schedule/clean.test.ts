import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { journalFor } from "../../src/engine/land-image.ts";
import { cleanFolder } from "../../src/schedule/clean.ts";
import type { TaskPlaces } from "../../src/schedule/ports.ts";
import { writeTargets } from "../../src/schedule/task-folder.ts";
import { openDirectory } from "../../src/store/directory/directory.ts";
import { addRegions, type RecordFile, recordFile } from "../record/record-file.ts";
import { never } from "./harbour.ts";

let home: string;
let file: RecordFile;
const folder = (): string => join(home, "task");
const QUAY = { name: "quay", region: "east", provider: "directory", container: "quay" } as const;

beforeEach(async () => {
  home = mkdtempSync(join(tmpdir(), "diskferry-clean-"));
  for (const name of ["old", "new"]) mkdirSync(join(home, name));
  file = await recordFile();
  await addRegions(file.record, "east");
  await file.record.catalogue.destinations.add({ ...QUAY, location: join(home, "old") });
  await writeTargets(folder(), [{ destination: "quay", object: "disk.raw" }]);
  await using destination = await openDirectory(join(home, "old", "disk.raw"));
  await using journal = await journalFor(destination, folder());
  await journal.intend();
});
afterEach(async () => {
  await file[Symbol.asyncDispose]();
  rmSync(home, { recursive: true });
});

/** Where the destination leads when it is cleaned up. */
async function clean(at: "old" | "new"): Promise<void> {
  const unused = () => Promise.reject(new Error("is not asked for"));
  const places: TaskPlaces = {
    destination: (_, object) => openDirectory(join(home, at, object)),
    source: unused,
    url: unused,
    file: unused,
  };
  await cleanFolder(folder(), "nothing", { record: file.record, places }, never);
}

it("a folder goes once all that its journals tell of is removed", async () => {
  await clean("old");
  expect(existsSync(folder())).toBe(false);
});

it("a folder stays while one of its journals is of a place that no target leads to", async () => {
  await expect(clean("new")).rejects.toMatchObject({ code: "PRECONDITION" });
  await clean("old");
  expect(existsSync(folder())).toBe(false);
});
