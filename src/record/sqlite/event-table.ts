/** Events as rows. */
import type { SQLInputValue } from "node:sqlite";
import type { Task } from "../../task/task.ts";
import { type EventQuery, eventAfter, type RecordedEvent } from "../event.ts";
import type { Database, Row } from "./database.ts";

export function appendEvent(database: Database, task: Task, event: RecordedEvent["event"], at: number): void {
  database.run(
    "INSERT INTO event (task, project, kind, at, body) VALUES (?, ?, ?, ?, ?)",
    task.id,
    task.project,
    task.spec.kind,
    at,
    JSON.stringify({ event, after: eventAfter(task) }),
  );
}

export function listEvents(
  database: Database,
  { after, project, task, kind, limit }: EventQuery,
): RecordedEvent[] {
  const parts = ["sequence > ?"];
  const values: SQLInputValue[] = [after];
  for (const [column, value] of [
    ["project", project],
    ["task", task],
    ["kind", kind],
  ] as const) {
    if (value === undefined) continue;
    parts.push(`${column} = ?`);
    values.push(value);
  }
  const sql = `SELECT * FROM event WHERE ${parts.join(" AND ")} ORDER BY sequence LIMIT ?`;
  return database.all(sql, ...values, limit).map(eventOf);
}

/** The newest number that was ever given, also when its event is no more. */
export function lastEvent(database: Database): number {
  const row = database.one("SELECT seq FROM sqlite_sequence WHERE name = 'event'");
  return Number(row?.["seq"] ?? 0);
}

function eventOf(row: Row): RecordedEvent {
  const { event, after } = JSON.parse(String(row["body"])) as Pick<RecordedEvent, "event" | "after">;
  return {
    sequence: Number(row["sequence"]),
    task: String(row["task"]),
    project: String(row["project"]),
    kind: row["kind"] as RecordedEvent["kind"],
    at: Number(row["at"]),
    event,
    after,
  };
}
