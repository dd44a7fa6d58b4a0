/** Tasks as rows. Runs inside a transaction of the writer, or between two of them. */
import type { SQLInputValue } from "node:sqlite";
import { madeImage, readImage, type TaskKind } from "../../task/spec.ts";
import { acceptedTask, isFinal, type NewTask, type Task, type UnfinishedState } from "../../task/task.ts";
import type { TaskPage, TaskQuery, TaskWhere, Unfinished } from "../query.ts";
import type { Database, Row } from "./database.ts";

export function taskOf(row: Row): Task {
  // Only this program writes bodies, and the schema's version says in which form.
  return JSON.parse(String(row["body"])) as Task;
}

export function findTask(database: Database, id: string): Task | undefined {
  const row = database.one("SELECT body FROM task WHERE id = ?", id);
  return row === undefined ? undefined : taskOf(row);
}

export function insertTask(database: Database, given: NewTask, at: number): Task {
  const { spec } = given;
  const { id: sequence } = database.run(
    `INSERT INTO task (id, project, kind, state, regions, accepted_at, reads_image, makes_image, body)
     VALUES (?, ?, ?, 'queued', ?, ?, ?, ?, '')`,
    given.id,
    given.project,
    spec.kind,
    JSON.stringify(given.regions),
    at,
    readImage(spec) ?? null,
    madeImage(spec) ?? null,
  );
  const task = acceptedTask(given, sequence, at);
  database.run("UPDATE task SET body = ? WHERE sequence = ?", JSON.stringify(task), sequence);
  return task;
}

/** Writes the task, the slots that its run holds, and lets go of its names once it has ended. */
export function updateTask(database: Database, before: Task, task: Task): void {
  database.run(
    "UPDATE task SET state = ?, ended_at = ?, not_before = ?, runner = ?, body = ? WHERE sequence = ?",
    task.state,
    task.times.endedAt ?? null,
    task.notBefore ?? null,
    task.run?.runner ?? null,
    JSON.stringify(task),
    task.sequence,
  );
  if (before.run !== undefined && task.run === undefined) {
    database.run("DELETE FROM slot WHERE task = ?", task.sequence);
  }
  if (before.run === undefined) {
    for (const region of task.run?.slots ?? []) {
      database.run(
        "INSERT INTO slot (task, region, kind) VALUES (?, ?, ?)",
        task.sequence,
        region,
        task.spec.kind,
      );
    }
  }
  if (isFinal(task.state)) database.run("DELETE FROM claimed_name WHERE task = ?", task.sequence);
}

export function listTasks(database: Database, { where, from, limit }: TaskQuery): TaskPage {
  const { sql, values } = conditions(where);
  const before = from.is === "before" ? from.sequence : Number.MAX_SAFE_INTEGER;
  const rows = database.all(
    `SELECT sequence, body FROM task WHERE ${sql} AND sequence < ? ORDER BY sequence DESC LIMIT ? OFFSET ?`,
    ...values,
    before,
    limit + 1,
    from.is === "newest" ? from.skip : 0,
  );
  const shown = rows.slice(0, limit);
  const last = shown.at(-1);
  return {
    tasks: shown.map(taskOf),
    ...(rows.length > limit && last !== undefined ? { next: Number(last["sequence"]) } : {}),
  };
}

export function countTasks(database: Database, where: TaskWhere): number {
  const { sql, values } = conditions(where);
  return Number(database.one(`SELECT count(*) AS n FROM task WHERE ${sql}`, ...values)?.["n"]);
}

export function countUnfinished(database: Database): Unfinished[] {
  const rows = database.all(
    "SELECT kind, state, regions, count(*) AS n FROM task WHERE ended_at IS NULL GROUP BY state, kind, regions",
  );
  return rows.map((row) => ({
    kind: row["kind"] as TaskKind,
    state: row["state"] as UnfinishedState,
    regions: JSON.parse(String(row["regions"])) as string[],
    count: Number(row["n"]),
  }));
}

interface Conditions {
  readonly sql: string;
  readonly values: readonly SQLInputValue[];
}

function conditions(where: TaskWhere): Conditions {
  const { project, kinds, states, region, image, images, acceptedFrom, acceptedTo, ids } = where;
  const parts: Conditions[] = [{ sql: "TRUE", values: [] }];
  const add = (sql: string, ...values: SQLInputValue[]) => parts.push({ sql, values });
  if (project !== undefined) add("project = ?", project);
  if (kinds !== undefined) parts.push(oneOf("kind", kinds));
  if (states !== undefined) parts.push(oneOf("state", states));
  if (ids !== undefined) parts.push(oneOf("id", ids));
  if (region !== undefined) add("EXISTS (SELECT 1 FROM json_each(regions) WHERE value = ?)", region);
  if (image !== undefined) add("(reads_image = ? OR makes_image = ?)", image, image);
  if (images !== undefined) {
    const list = JSON.stringify(images);
    const among = (column: string) => `${column} IN (SELECT value FROM json_each(?))`;
    add(`(${among("reads_image")} OR ${among("makes_image")})`, list, list);
  }
  if (acceptedFrom !== undefined) add("accepted_at >= ?", acceptedFrom);
  if (acceptedTo !== undefined) add("accepted_at <= ?", acceptedTo);
  return {
    sql: parts.map(({ sql }) => sql).join(" AND "),
    values: parts.flatMap(({ values }) => values),
  };
}

/** The list is one value, so that the text of the statement is the same for every length. */
function oneOf(column: string, values: readonly string[]): Conditions {
  return {
    sql: `${column} IN (SELECT value FROM json_each(?))`,
    values: [JSON.stringify(values)],
  };
}
