/** What a daemon that was killed has left on its disk, read from a copy: the next one finds it as it was left. */
import { copyFileSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { RecordedEvent } from "../../src/record/event.ts";
import type { TaskRecord } from "../../src/record/record.ts";
import { openSqliteRecord } from "../../src/record/sqlite/record.ts";
import type { Task } from "../../src/task/task.ts";

export interface Evidence {
  /** In order of acceptance. */
  readonly tasks: readonly Task[];
  readonly events: readonly RecordedEvent[];
  /** Slots that are held, by region and kind. */
  readonly slots: number;
  /** Ids of images in the catalogue. */
  readonly images: readonly string[];
  readonly journals: readonly JournalLeft[];
}

/** The journal of one object that a task makes. */
export interface JournalLeft {
  readonly task: string;
  /** Of the upload that it fills; absent before there is one. */
  readonly upload?: string;
  /** Numbers of the parts that have landed, in the order of their lines. */
  readonly parts: readonly number[];
  /** Bytes of those that were sent. */
  readonly bytes: number;
  readonly sealed: boolean;
}

const PAGE = 500;

export async function gather(state: string): Promise<Evidence> {
  const copy = mkdtempSync(join(tmpdir(), "diskferry-evidence-"));
  try {
    for (const name of ["record.db", "record.db-wal"]) {
      if (existsSync(join(state, name))) copyFileSync(join(state, name), join(copy, name));
    }
    await using record = openSqliteRecord(join(copy, "record.db"));
    const images = await record.catalogue.images.list({ limit: 100_000 });
    return {
      tasks: (await allTasks(record)).reverse(),
      events: await allEvents(record),
      slots: (await record.slotsInUse()).reduce((sum, { count }) => sum + count, 0),
      images: images.map(({ entry }) => entry.id),
      journals: journalsIn(join(state, "tasks")),
    };
  } finally {
    rmSync(copy, { recursive: true });
  }
}

async function allTasks(record: TaskRecord): Promise<Task[]> {
  const found: Task[] = [];
  for (let before = Number.MAX_SAFE_INTEGER; ; ) {
    const { tasks, next } = await record.tasks({
      where: {},
      from: { is: "before", sequence: before },
      limit: PAGE,
    });
    found.push(...tasks);
    if (next === undefined) return found;
    before = next;
  }
}

async function allEvents(record: TaskRecord): Promise<RecordedEvent[]> {
  const found: RecordedEvent[] = [];
  for (;;) {
    const page = await record.events({ after: found.at(-1)?.sequence ?? 0, limit: PAGE });
    found.push(...page);
    if (page.length < PAGE) return found;
  }
}

function journalsIn(folder: string): JournalLeft[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder).flatMap((task) =>
    readdirSync(join(folder, task))
      .filter((name) => name.endsWith(".journal"))
      .map((name) => readJournal(task, readFileSync(join(folder, task, name), "utf8"))),
  );
}

interface Line {
  readonly event: string;
  readonly token?: unknown;
  readonly receipt?: { readonly number: number; readonly length: number; readonly zero?: true };
}

/** A last line that the kill cut short does not count. */
function readJournal(task: string, text: string): JournalLeft {
  const lines = text
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Line);
  const token = lines.findLast(({ event }) => event === "begin")?.token;
  const receipts = lines.flatMap(({ receipt }) => (receipt === undefined ? [] : [receipt]));
  return {
    task,
    ...(token === undefined ? {} : { upload: JSON.stringify(token) }),
    parts: receipts.map(({ number }) => number),
    bytes: receipts.reduce((sum, { length, zero }) => sum + (zero ? 0 : length), 0),
    sealed: lines.some(({ event }) => event === "sealed"),
  };
}
