/** Projects, keys, the audit log and the drain over Connect. */
import type { ServiceImpl } from "@connectrpc/connect";
import { Fault } from "../../fault/fault.ts";
import type { AuditQuery, RecordedAudit } from "../../record/audit.ts";
import type { TaskRecord } from "../../record/record.ts";
import type { Caller } from "../../service/caller.ts";
import { refusal } from "../../service/refusal.ts";
import type { Service } from "../../service/service.ts";
import { type Daemon, DRAIN_STATES, type DrainStatus } from "../daemon.ts";
import { pageOf, pageQuery, versionOf } from "./entry-page.ts";
import { enumWords } from "./enum-words.ts";
import { given, required } from "./fields.ts";
import { type AdminService, DrainStateSchema } from "./generated/diskferry/v1/admin_service_pb.ts";
import { callerOf } from "./handler.ts";
import { keyEntry, keyMessage } from "./key-message.ts";
import { projectEntry, projectMessage } from "./project-message.ts";
import { timestamp } from "./task-message.ts";

const DRAIN = enumWords(DrainStateSchema, DRAIN_STATES);
/** As many as tasks: FJ-10. */
const MOST_AUDITS = 200;

export interface AdminOptions {
  readonly daemon: Daemon;
  /** Never throws: an answer does not depend on it. */
  readonly audit: TaskRecord["audit"];
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

export function adminService(
  service: Service,
  { daemon, audit, now }: AdminOptions,
): ServiceImpl<typeof AdminService> {
  const { projects, keys } = service;

  /** What the use cases do not know of is checked and noted here. */
  async function asAdmin(caller: Caller, action: string, work: () => Promise<DrainStatus>) {
    const { name: actor, project, requestId } = caller;
    const note = (outcome: string) => audit({ at: now(), actor, project, action, outcome, requestId });
    try {
      if (caller.role !== "admin") throw refusal("admins-only", `only admins ${action} the daemon`);
      const { state, running } = await work();
      await note("done");
      return { state: DRAIN.wire(state), running };
    } catch (error) {
      const fault = Fault.from(error, action);
      await note(String(fault.details["reason"] ?? fault.code));
      throw fault;
    }
  }

  return {
    async getProject({ id }, context) {
      return { project: projectMessage(await projects.get(callerOf(context), required("id", id))) };
    },
    async listProjects(request, context) {
      const { messages, nextPageToken } = pageOf(
        await projects.list(callerOf(context), pageQuery(request)),
        projectMessage,
      );
      return { projects: messages, nextPageToken };
    },
    async registerProject({ project }, context) {
      const entry = projectEntry(required("project", project));
      return { project: projectMessage(await projects.register(callerOf(context), entry)) };
    },
    async replaceProject({ project }, context) {
      const entry = projectEntry(required("project", project));
      const version = versionOf(project?.version ?? 0n);
      return { project: projectMessage(await projects.replace(callerOf(context), entry, version)) };
    },
    async unregisterProject({ id, version }, context) {
      await projects.unregister(callerOf(context), required("id", id), versionOf(version));
      return {};
    },
    async getKey({ id }, context) {
      return { key: keyMessage(await keys.get(callerOf(context), required("id", id))) };
    },
    async listKeys(request, context) {
      const { messages, nextPageToken } = pageOf(
        await keys.list(callerOf(context), pageQuery(request)),
        keyMessage,
      );
      return { keys: messages, nextPageToken };
    },
    async registerKey({ key }, context) {
      const entry = keyEntry(required("key", key), now());
      return { key: keyMessage(await keys.register(callerOf(context), entry)) };
    },
    async replaceKey({ key }, context) {
      const entry = keyEntry(required("key", key), now());
      const version = versionOf(key?.version ?? 0n);
      return { key: keyMessage(await keys.replace(callerOf(context), entry, version)) };
    },
    async unregisterKey({ id, version }, context) {
      await keys.unregister(callerOf(context), required("id", id), versionOf(version));
      return {};
    },
    async listAudits({ pageSize, pageToken, project }, context) {
      const limit = pageSize === 0 ? MOST_AUDITS : Math.min(pageSize, MOST_AUDITS);
      const query: AuditQuery = {
        limit,
        ...given("project", project),
        ...given("before", beforeOf(pageToken)),
      };
      const audits = await service.audits(callerOf(context), query);
      const last = audits.at(-1);
      const nextPageToken = audits.length < limit || last === undefined ? "" : String(last.sequence);
      return { audits: audits.map(auditMessage), nextPageToken };
    },
    drain: (_, context) => asAdmin(callerOf(context), "drain", () => daemon.drain()),
    resume: (_, context) => asAdmin(callerOf(context), "resume", () => daemon.resume()),
  };
}

function beforeOf(pageToken: string): number | undefined {
  if (pageToken === "") return undefined;
  if (/^[1-9][0-9]{0,15}$/.test(pageToken)) return Number(pageToken);
  throw refusal("page-token", "the page token is not one of this list");
}

function auditMessage({ sequence, at, subject, ...rest }: RecordedAudit) {
  return { ...rest, sequence: BigInt(sequence), time: timestamp(at), subject: subject ?? "" };
}
