/** What must be found again after a power loss: a name counts once its directory is on the disk, too. */
import { mkdtempSync, rmSync } from "node:fs";
import type * as Fs from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { writeTargets } from "../../src/schedule/task-folder.ts";
import { openJournal } from "../../src/transfer/journal.ts";

const disk = vi.hoisted((): { calls: (readonly [string, string])[] } => ({ calls: [] }));
vi.mock("node:fs/promises", async (original) => {
  const real = await original<typeof Fs>();
  return {
    ...real,
    async open(...given: Parameters<typeof real.open>) {
      const file = await real.open(...given);
      const noted = (call: "sync" | "datasync") => {
        const done = file[call].bind(file);
        file[call] = async () => {
          disk.calls.push([call, String(given[0])]);
          return done();
        };
      };
      noted("sync");
      noted("datasync");
      return file;
    },
    async rename(from: string, to: string) {
      disk.calls.push(["rename", to]);
      return real.rename(from, to);
    },
  };
});

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "diskferry-durable-"));
  disk.calls = [];
});
afterEach(() => rmSync(directory, { recursive: true }));

const calls = () => disk.calls.map(([call, path]) => `${call} ${relative(directory, path) || "."}`);

describe("after a power loss", () => {
  it("a task's targets are there, in a folder that is there", async () => {
    const folder = join(directory, "state", "task-1");
    await writeTargets(folder, [{ destination: "quay", object: "out.raw" }]);
    expect(calls()).toEqual([
      "sync state",
      "sync .",
      "datasync state/task-1/targets.json.new",
      "rename state/task-1/targets.json",
      "sync state/task-1",
    ]);
  });

  it("a journal is there before an upload is asked for", async () => {
    await using journal = await openJournal(join(directory, "journals"), "identity", "name");
    await journal.intend();
    const [made, written, named] = calls();
    expect([made, named]).toEqual(["sync .", "sync journals"]);
    expect(written).toMatch(/^datasync journals\/\w+\.journal$/);
    await journal.remove();
  });
});
