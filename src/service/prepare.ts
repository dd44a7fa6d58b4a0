/** What the three kinds of requests have in common on their way to being accepted. */
import type { Destination } from "../catalog/destination.ts";
import type { Project } from "../catalog/project.ts";
import type { Acceptance, ClientToken, Limit } from "../record/record.ts";
import { type NewTask, UNFINISHED_STATES } from "../task/task.ts";
import type { Caller } from "./caller.ts";
import { fingerprint } from "./fingerprint.ts";
import { refusal } from "./refusal.ts";
import type { TaskRequest } from "./request.ts";
import { checkBandwidth, checkToken } from "./wellformed.ts";

/** Everything but the client token. */
export interface Prepared {
  readonly acceptance: Acceptance;
  /** What must not be there yet (FJ-7). */
  readonly absent?: Objects;
  /** What must be there already (IM-13). */
  readonly present?: readonly Objects[];
}

export interface Objects {
  readonly destination: Destination;
  readonly objects: readonly string[];
}

/** EX-12, IM-16. */
export function checkRole({ id, roles }: Project, role: string | undefined): void {
  if (role === undefined || roles.includes(role)) return;
  throw refusal("role-missing", `project ${id}: has not granted role ${role}`);
}

export function taskFor(
  caller: Caller,
  request: TaskRequest,
  id: string,
  given: Pick<NewTask, "spec" | "regions" | "exclusive">,
): NewTask {
  const { token, bandwidth = 0 } = request;
  checkBandwidth(bandwidth);
  return {
    ...given,
    id,
    project: caller.project,
    bandwidth,
    requestId: caller.requestId,
    ...(token === undefined ? {} : { clientToken: token.value }),
    ...(caller.traceparent === undefined ? {} : { traceparent: caller.traceparent }),
  };
}

/** Control 2.7: the scope is project, action and region; all else must be the same. */
export function clientToken(caller: Caller, request: TaskRequest): ClientToken | undefined {
  const { token, ...rest } = request;
  if (token === undefined) return undefined;
  checkToken(token.value);
  return {
    project: caller.project,
    action: token.action,
    region: (request.kind === "copy" ? request.from : request.region) ?? "",
    token: token.value,
    fingerprint: fingerprint(rest),
  };
}

export function unfinishedLimit({ id, quotas }: Project) {
  return {
    counts: "tasks",
    name: "unfinished",
    where: { project: id, states: UNFINISHED_STATES },
    most: quotas.unfinished,
  } as const satisfies Limit;
}

/** For a task that makes an image in a region. */
export function imageLimits(project: Project, region: string): readonly Limit[] {
  const { id, quotas } = project;
  return [
    { counts: "images", project: id, region, most: quotas.images },
    { counts: "snapshots", project: id, region, most: quotas.snapshots },
    unfinishedLimit(project),
  ];
}
