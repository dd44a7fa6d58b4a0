/** Lists of tasks: FJ-8 to FJ-10, and page tokens of AIP-158. */
import { z } from "zod";
import type { TaskQuery, TaskWhere } from "../record/query.ts";
import type { TaskRecord } from "../record/record.ts";
import type { Caller } from "./caller.ts";
import { fingerprint } from "./fingerprint.ts";
import { refusal } from "./refusal.ts";
import type { TaskListRequest } from "./request.ts";
import type { TaskList } from "./service.ts";
import { malformed } from "./wellformed.ts";

/** FJ-10. */
export const MOST_LISTED = 200;

export async function listTasks(
  record: TaskRecord,
  caller: Caller,
  request: TaskListRequest,
): Promise<TaskList> {
  const where = whereOf(caller, request);
  const query: TaskQuery = { where, from: startOf(request.page, where), limit: limitOf(request.limit) };
  const [page, total] = await Promise.all([record.tasks(query), record.countTasks(where)]);
  const { tasks, next } = page;
  return { tasks, total, ...(next === undefined ? {} : { next: tokenOf(next, where) }) };
}

/** At most 200, and as many when nothing is said. */
export function limitOf(limit: number | undefined): number {
  if (limit === undefined) return MOST_LISTED;
  if (!Number.isSafeInteger(limit) || limit < 1) throw malformed("limit", "limit: a whole number from 1");
  return Math.min(limit, MOST_LISTED);
}

/** FJ-8: what is not the caller's own is not there. */
function whereOf(caller: Caller, { page: _, limit: __, project, ...rest }: TaskListRequest): TaskWhere {
  if ((rest.ids?.length ?? 0) > MOST_LISTED) throw malformed("ids", `ids: at most ${MOST_LISTED}`);
  if (caller.role !== "admin") return { ...rest, project: caller.project };
  return project === undefined ? rest : { ...rest, project };
}

function startOf(page: TaskListRequest["page"], where: TaskWhere): TaskQuery["from"] {
  if (page?.by === "token") return { is: "before", sequence: sequenceOf(page.token, where) };
  const skip = page?.start ?? 0;
  if (!Number.isSafeInteger(skip) || skip < 0) throw malformed("start", "start: a whole number from 0");
  return { is: "newest", skip };
}

const tokenSchema = z.strictObject({ before: z.int().positive(), of: z.string() });

/** The token says of which list it is: it means nothing in another. */
function tokenOf(before: number, where: TaskWhere): string {
  const token: z.infer<typeof tokenSchema> = { before, of: fingerprint(where) };
  return Buffer.from(JSON.stringify(token)).toString("base64url");
}

function sequenceOf(token: string, where: TaskWhere): number {
  const read = tokenSchema.safeParse(jsonOf(Buffer.from(token, "base64url").toString()));
  if (read.success && read.data.of === fingerprint(where)) return read.data.before;
  throw refusal("page-token", "the page token is not one of this list");
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
