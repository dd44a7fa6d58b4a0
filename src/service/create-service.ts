/** The use cases over a record: validate → check → reserve and accept in one transaction. */
import { Fault } from "../fault/fault.ts";
import { withDeadline } from "../flow/deadline.ts";
import type { Acceptance, Accepted } from "../record/record.ts";
import { isRefusal, type TaskEvent } from "../task/step.ts";
import type { Task } from "../task/task.ts";
import type { Caller } from "./caller.ts";
import { catalogueUse } from "./catalogue.ts";
import { deleteImage } from "./delete-image.ts";
import { EventFeed } from "./feed.ts";
import { findDestination } from "./find-destination.ts";
import type { ServicePorts } from "./ports.ts";
import { clientToken, type Objects, type Prepared } from "./prepare.ts";
import { prepareCopy } from "./prepare-copy.ts";
import { prepareExport } from "./prepare-export.ts";
import { prepareImport } from "./prepare-import.ts";
import { refusal, withReason } from "./refusal.ts";
import type { TaskRequest, WatchRequest } from "./request.ts";
import type { Service } from "./service.ts";
import { limitOf, listTasks } from "./task-list.ts";
import { usageOf } from "./usage.ts";
import { owns } from "./visible.ts";
import { checkBandwidth } from "./wellformed.ts";

/** A store that does not say whether an object is there keeps nobody waiting for longer. */
const PROBE_MS = 20_000;

export function createService(ports: ServicePorts): Service {
  const { record, audit, now } = ports;
  const feed = new EventFeed(record);

  /** Notes who asked for what, and what came of it. */
  async function audited<T>(
    { name, project, requestId }: Caller,
    action: string,
    subject: string | ((done: T) => string),
    work: () => Promise<T>,
  ): Promise<T> {
    const note = (outcome: string, of: string) =>
      audit({ at: now(), actor: name, project, action, outcome, subject: of, requestId });
    try {
      const done = await work();
      await note("done", typeof subject === "string" ? subject : subject(done));
      return done;
    } catch (error) {
      const fault = Fault.from(error, action);
      await note(String(fault.details["reason"] ?? fault.code), typeof subject === "string" ? subject : "");
      throw fault;
    }
  }

  const ask = (caller: Caller, request: TaskRequest, signal: AbortSignal): Promise<Accepted> =>
    audited(
      caller,
      request.kind,
      ({ task }) => task.id,
      () => accept(caller, request, signal),
    );

  async function accept(caller: Caller, request: TaskRequest, signal: AbortSignal): Promise<Accepted> {
    const token = clientToken(caller, request);
    try {
      const earlier = token === undefined ? undefined : await record.replayed(token);
      if (earlier !== undefined) return { task: earlier, when: "before" };
      const acceptance = await checked(caller, request, signal);
      return await record.accept(token === undefined ? acceptance : { ...acceptance, token });
    } catch (error) {
      // The token may have been taken meanwhile: by this request, which then stands in its own way, or by another.
      const earlier = token === undefined ? undefined : await record.replayed(token).catch(mismatchOnly);
      if (earlier !== undefined) return { task: earlier, when: "before" };
      throw withReason(error);
    }
  }

  /** All that can be known before it is accepted. */
  async function checked(caller: Caller, request: TaskRequest, signal: AbortSignal): Promise<Acceptance> {
    const { acceptance, absent, present = [] } = await prepare(request, caller, ports);
    // What the record would refuse needs no question to a store: it says more than that a part is there already.
    await record.rehearse(acceptance);
    if (absent !== undefined) await refuseExisting(ports, absent, signal);
    for (const objects of present) await refuseMissing(ports, objects, signal);
    return acceptance;
  }

  async function visibleTask(caller: Caller, id: string): Promise<Task> {
    const task = await record.task(id);
    if (task === undefined || !owns(caller, task)) throw refusal("task-not-found", `there is no task ${id}`);
    return task;
  }

  async function apply(caller: Caller, id: string, event: TaskEvent): Promise<Task> {
    await visibleTask(caller, id);
    const outcome = await record.apply(id, event, now());
    if (outcome === undefined) throw refusal("task-not-found", `there is no task ${id}`);
    if (!isRefusal(outcome)) return outcome;
    const { refused, message } = outcome;
    if (refused === "finished" || refused === "already-cancelling" || refused === "committing") {
      throw refusal(refused, `task ${id}: ${message}`);
    }
    throw new Fault("INTERNAL", `task ${id}: ${message}`);
  }

  async function* watch(caller: Caller, { after, ...wanted }: WatchRequest, signal: AbortSignal) {
    if (wanted.task !== undefined) await visibleTask(caller, wanted.task);
    const own = caller.role === "admin" ? {} : { project: caller.project };
    yield* feed.watch(after ?? (await record.lastEvent()), { ...wanted, ...own }, signal);
  }

  return {
    ...catalogueUse(ports, audited),
    exportImage: ask,
    importImage: ask,
    copyImage: ask,
    async rehearse(caller, request, signal) {
      await checked(caller, request, signal).catch((error: unknown) => {
        throw withReason(error);
      });
    },
    getTask: visibleTask,
    listTasks: (caller, request) => listTasks(record, caller, request),
    cancelTask: (caller, id) =>
      audited(caller, "cancel", id, () => apply(caller, id, { kind: "cancel-accepted" })),
    limitTask: (caller, id, bandwidth) =>
      audited(caller, "limit", id, async () => {
        checkBandwidth(bandwidth);
        return apply(caller, id, { kind: "limited", bandwidth });
      }),
    deleteImage: (caller, request) =>
      audited(caller, "delete image", request.image, () => deleteImage(ports, caller, request)),
    watch,
    lastEvent: () => record.lastEvent(),
    findDestination: (caller, wanted) => findDestination(record.catalogue, caller, wanted),
    usage: (caller) => usageOf(caller, ports),
    async audits(caller, query) {
      if (caller.role !== "admin") throw refusal("admins-only", "only admins read the audit log");
      return record.audits({ ...query, limit: limitOf(query.limit) });
    },
  };
}

function prepare(request: TaskRequest, caller: Caller, ports: ServicePorts): Promise<Prepared> {
  switch (request.kind) {
    case "export":
      return prepareExport(request, caller, ports);
    case "import":
      return prepareImport(request, caller, ports);
    case "copy":
      return prepareCopy(request, caller, ports);
  }
}

/** Nothing else says more than the error that came before. */
function mismatchOnly(error: unknown): undefined {
  if (error instanceof Fault && error.code === "IDEMPOTENCY_MISMATCH") throw withReason(error);
}

/** FJ-7. */
async function refuseExisting(ports: ServicePorts, asked: Objects, signal: AbortSignal): Promise<void> {
  const { name } = asked.destination;
  const [first] = await probe(ports, asked, signal);
  if (first === undefined) return;
  throw refusal("object-exists", `${name}: ${first} is there already`, { object: first });
}

/** IM-13. */
async function refuseMissing(ports: ServicePorts, asked: Objects, signal: AbortSignal): Promise<void> {
  const { name } = asked.destination;
  const found = await probe(ports, asked, signal);
  const missing = asked.objects.find((object) => !found.includes(object));
  if (missing === undefined) return;
  throw refusal("object-missing", `${name}: ${missing} is not there`, { object: missing });
}

function probe(
  { existing }: ServicePorts,
  { destination, objects }: Objects,
  signal: AbortSignal,
): Promise<readonly string[]> {
  return withDeadline(destination.name, PROBE_MS, signal, (until) => existing(destination, objects, until));
}
