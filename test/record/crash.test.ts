import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { openSqliteRecord } from "../../src/record/sqlite/record.ts";
import { acceptance, addRegions, exportTask, recordFile } from "./record-file.ts";

const PROGRAM = fileURLToPath(new URL("./accepting.ts", import.meta.url));

/** Killed without warning after so many acknowledgements: what it had said until then. */
async function acknowledged(path: string, enough: number): Promise<readonly string[]> {
  const child = spawn(process.execPath, [PROGRAM, path], { stdio: ["ignore", "pipe", "inherit"] });
  const exit = once(child, "exit");
  const lines: string[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    lines.push(line);
    if (lines.length === enough) child.kill("SIGKILL");
  }
  expect((await exit)[1]).toBe("SIGKILL");
  return lines;
}

it.each([1, 40, 333])(
  "what was acknowledged is there after SIGKILL (%i acknowledgements)",
  async (enough) => {
    await using file = await recordFile();
    await addRegions(file.record, "east");
    await file.record[Symbol.asyncDispose]();
    const lines = await acknowledged(file.path, enough);
    expect(lines.length).toBeGreaterThanOrEqual(enough);

    file.record = openSqliteRecord(file.path);
    const { record } = file;
    for (const line of lines) {
      const [said = "", id = ""] = line.split(" ");
      const task = await record.task(id);
      expect(task, line).toBeDefined();
      if (said === "started") expect(task?.attempts, line).toBe(1);
      if (said === "cancelled") expect(task?.cancel, line).toBeDefined();
      if (task?.cancel === undefined) {
        const again = record.accept(acceptance(exportTask({ exclusive: [id] })));
        await expect(again, line).rejects.toMatchObject({ code: "CONFLICT" });
      }
    }
    // Each task with its event, each event with its task: a transaction is whole or not there.
    const total = await record.countTasks({});
    const events = await record.events({ after: 0, limit: 100_000 });
    expect(events.filter(({ event }) => event.kind === "accepted")).toHaveLength(total);
    const last = new Map(events.map(({ task, after }) => [task, after.state]));
    for (const [id, state] of last) expect((await record.task(id))?.state).toBe(state);
  },
);
