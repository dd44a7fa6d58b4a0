/** A process to be killed: runs the tasks of a harbour's directory, and writes a line for each event. */
import { join } from "node:path";
import { KiB, MiB } from "../../src/bytes/units.ts";
import { dataKeysOf } from "../../src/daemon/data-keys.ts";
import { openKeyring } from "../../src/keyring/keyring.ts";
import { openSqliteRecord } from "../../src/record/sqlite/record.ts";
import { startScheduler } from "../../src/schedule/scheduler.ts";
import { openFile } from "../../src/source/file/file.ts";
import { openDirectory } from "../../src/store/directory/directory.ts";
import { createPool } from "../../src/worker/pool.ts";

const [, , directory = ""] = process.argv;
const never = new AbortController().signal;
const record = openSqliteRecord(join(directory, "record.db"));
let last = await record.lastEvent();
await startScheduler(
  {
    record,
    places: {
      async destination({ location }, object) {
        const destination = await openDirectory(join(location, object));
        return { ...destination, limits: { ...destination.limits, preferredPart: 64 * KiB } };
      },
      source: ({ location }, object) => openFile(join(location, object)),
      url: () => Promise.reject(new Error("no URL is asked for")),
      file: (root, path) => openFile(join(directory, root, path)),
    },
    dataKeys: dataKeysOf(openKeyring(join(directory, "keys")), () => {}),
    producer: createPool({ threads: 1, lanesPerThread: 4 }),
    stateDirectory: join(directory, "state"),
    metrics: { started() {}, ended() {}, moved() {}, canceled() {}, retried() {} },
    note: () => {},
    now: Date.now,
    random: () => 0,
  },
  { runner: "host-1", mostRuns: 8, memory: 64 * MiB },
);
for (;;) {
  const left = await record.countTasks({ states: ["queued", "processing", "cancelling"] });
  if (left === 0) process.stdout.write(`${JSON.stringify({ kind: "all-ended", progress: 100 })}\n`);
  await record.news(last, never);
  for (const { sequence, event, after } of await record.events({ after: last, limit: 100 })) {
    last = sequence;
    process.stdout.write(`${JSON.stringify({ kind: event.kind, progress: after.progress })}\n`);
  }
}
