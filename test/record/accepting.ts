/** A process of its own that accepts tasks, and says which have been acknowledged, until it is killed. */
import { openSqliteRecord } from "../../src/record/sqlite/record.ts";
import { NOW } from "../task/tasks.ts";
import { ALL, acceptance, exportTask } from "./record-file.ts";

const record = openSqliteRecord(process.argv[2] ?? "");

/** Several at once, so that they share transactions; each with its claimed name, events and runs. */
async function acceptOn(lane: number): Promise<void> {
  for (let count = 0; ; count += 1) {
    const id = `lane-${lane}-${count}`;
    await record.accept(acceptance(exportTask({ id, exclusive: [id] })));
    process.stdout.write(`accepted ${id}\n`);
    const [started] = await record.claim({ ...ALL, most: 1 });
    if (started === undefined) continue;
    process.stdout.write(`started ${started.id}\n`);
    if ((await record.apply(started.id, { kind: "cancel-accepted" }, NOW)) === undefined) continue;
    process.stdout.write(`cancelled ${started.id}\n`);
  }
}

await Promise.all(Array.from({ length: 8 }, (_, lane) => acceptOn(lane)));
