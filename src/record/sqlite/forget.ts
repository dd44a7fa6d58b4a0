/** Removing what is older than it has to be kept; runs inside one transaction, which must not last long. */
import type { Forgotten, Retention } from "../record.ts";
import type { Database } from "./database.ts";

export function forget(database: Database, retention: Retention): Forgotten {
  const { most } = retention;
  const tokens = forgetTokens(database, retention);
  const { tasks, events } = forgetTasks(database, retention);
  const audits = forgetAudits(database, retention);
  const full = [tokens, tasks, events, audits].some((count) => count >= most);
  return { tasks, audits, rest: full ? "some" : "none" };
}

function forgetTokens(database: Database, { tokensBefore, most }: Retention): number {
  return database.run(
    `DELETE FROM client_token WHERE (project, action, region, token) IN (
       SELECT client_token.project, action, region, token
       FROM client_token JOIN task ON task.sequence = client_token.task
       WHERE given_at < ? AND ended_at IS NOT NULL LIMIT ?)`,
    tokensBefore,
    most,
  ).changes;
}

/** A task goes after its events. One with more of them than may go at once goes in a later transaction. */
function forgetTasks(database: Database, { endedBefore, most }: Retention) {
  const due = database.all(
    `SELECT sequence, id FROM task WHERE ended_at < ?
     AND NOT EXISTS (SELECT 1 FROM client_token WHERE client_token.task = task.sequence)
     ORDER BY ended_at LIMIT ?`,
    endedBefore,
    most,
  );
  let [tasks, events] = [0, 0];
  for (const { sequence, id } of due) {
    events += database.run(
      "DELETE FROM event WHERE sequence IN (SELECT sequence FROM event WHERE task = ? ORDER BY sequence LIMIT ?)",
      id ?? "",
      most - events,
    ).changes;
    if (events >= most) break;
    database.run("DELETE FROM task WHERE sequence = ?", sequence ?? 0);
    tasks += 1;
  }
  return { tasks, events };
}

/** Notes stand in the order of time: only the oldest are looked at. */
function forgetAudits(database: Database, { auditsBefore, most }: Retention): number {
  return database.run(
    `DELETE FROM audit WHERE sequence IN (
       SELECT sequence FROM (SELECT sequence, body FROM audit ORDER BY sequence LIMIT ?)
       WHERE json_extract(body, '$.at') < ?)`,
    most,
    auditsBefore,
  ).changes;
}
