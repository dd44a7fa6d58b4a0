/** `/v1/events`: events of tasks as server-sent events, for curl and browsers: first what has happened, then live. */
import type { Writable } from "node:stream";
import { toJsonString } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { codeToString } from "@connectrpc/connect/protocol-connect";
import { Fault } from "../fault/fault.ts";
import type { RecordedEvent } from "../record/event.ts";
import type { WatchRequest } from "../service/request.ts";
import type { Service } from "../service/service.ts";
import { malformed } from "../service/wellformed.ts";
import type { TaskKind } from "../task/spec.ts";
import { closed, cut, writeHead } from "./answer.ts";
import {
  type Call,
  type HttpHandler,
  type HttpRequest,
  type HttpResponse,
  headerOf,
  pathOf,
} from "./call.ts";
import { connectError, unauthenticated } from "./connect/connect-error.ts";
import { TaskEventSchema } from "./connect/generated/diskferry/v1/task_pb.ts";
import { eventMessage } from "./connect/task-message.ts";
import { TASK_KINDS } from "./connect/task-words.ts";

const PATH = "/v1/events";
/** When a client that has lost the connection should be back. */
const RETRY_MS = 2_000;

export interface EventsOptions {
  readonly service: Service;
  /** Watchers at once. */
  readonly watchers: number;
  /** Between two signs of life. */
  readonly heartbeatMs: number;
  /** How long a reader may leave an event lying before it is dropped. It may come back, and go on where it was. */
  readonly writeMs: number;
  /** Ends every watch when it fires. */
  readonly shutdown: AbortSignal;
  /** Notes what is our own fault. */
  defect(error: unknown, call: Call): void;
}

export function eventsHandler(options: EventsOptions): HttpHandler {
  const { service, heartbeatMs, writeMs } = options;
  let watchers = 0;

  async function watch(
    response: HttpResponse,
    events: AsyncIterable<RecordedEvent>,
    left: AbortSignal,
    call: Call,
  ): Promise<void> {
    writeHead(response, 200, {
      "content-type": "text/event-stream",
      "cache-control": "no-store",
      // Proxies that collect an answer before they pass it on would hold the events back.
      "x-accel-buffering": "no",
    });
    const gone = closed(response);
    const drop = () => {
      call.outcome = codeToString(Code.DeadlineExceeded);
      cut(response);
    };
    const send = sender(response, gone, drop, writeMs);
    const heartbeat = setInterval(() => void send(":\n\n"), heartbeatMs);
    try {
      await send(`retry: ${RETRY_MS}\n\n`);
      for await (const event of events) {
        if (left.aborted) return;
        await send(eventText(event));
      }
      options.shutdown.throwIfAborted();
    } catch (error) {
      const { rawMessage, code } = connectError(error, call.requestId);
      call.outcome = codeToString(code);
      if (code === Code.Internal) options.defect(error, call);
      await send(
        `event: error\ndata: ${JSON.stringify({ code: codeToString(code), message: rawMessage })}\n\n`,
      );
    } finally {
      clearInterval(heartbeat);
    }
    response.end();
  }

  return {
    name: "events",
    matches: (request) => pathOf(request) === PATH,
    async handle(request, response, call) {
      const { caller } = call;
      if (request.method !== "GET") throw new ConnectError(`${PATH} is read with GET`, Code.Unimplemented);
      if (caller === undefined) throw unauthenticated();
      const asked = watchRequest(request);
      // Before the answer begins: afterwards it could not say that the task is not there.
      if (asked.task !== undefined) await service.getTask(caller, asked.task);
      if (watchers >= options.watchers) {
        const message = `${watchers} watch already, which is as many as may`;
        throw new Fault("THROTTLED", message, { retryAfterMs: RETRY_MS });
      }
      watchers += 1;
      const left = new AbortController();
      void closed(response).then(() => left.abort());
      try {
        const until = AbortSignal.any([left.signal, options.shutdown]);
        await watch(response, service.watch(caller, asked, until), left.signal, call);
      } finally {
        watchers -= 1;
      }
    },
  };
}

const PARAMETERS: ReadonlySet<string> = new Set(["after", "task", "kind", "project"]);

/** `Last-Event-ID` is what a browser sends when it comes back: it knows better than the address that it began with. */
function watchRequest(request: HttpRequest): WatchRequest {
  const query = new URL(request.url ?? "", "http://any").searchParams;
  const unknown = [...query.keys()].find((name) => !PARAMETERS.has(name));
  if (unknown !== undefined) throw malformed(unknown, `${unknown}: there is no such parameter`);
  const after = headerOf(request, "last-event-id") ?? query.get("after");
  const [task, kind, project] = [query.get("task"), query.get("kind"), query.get("project")];
  return {
    ...(after === null || after === "" ? {} : { after: sequenceOf(after) }),
    ...(task === null ? {} : { task }),
    ...(kind === null ? {} : { kind: kindOf(kind) }),
    ...(project === null ? {} : { project }),
  };
}

function sequenceOf(text: string): number {
  const sequence = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(sequence)) return sequence;
  throw malformed("after", "after: the number of an event, or 0 for everything that is still kept");
}

function kindOf(text: string): TaskKind {
  const kind = TASK_KINDS.find((known) => known === text);
  if (kind === undefined) throw malformed("kind", `kind: one of ${TASK_KINDS.join(", ")}`);
  return kind;
}

function eventText(event: RecordedEvent): string {
  const data = toJsonString(TaskEventSchema, eventMessage(event), { alwaysEmitImplicit: true });
  return `id: ${event.sequence}\nevent: ${event.event.kind}\ndata: ${data}\n\n`;
}

/** Sends a text, and waits until the reader has made room for more, or is gone. */
function sender(response: Writable, gone: Promise<void>, drop: () => void, ms: number) {
  return async (text: string): Promise<void> => {
    if (response.write(text)) return;
    const late = setTimeout(drop, ms);
    const drained = Promise.withResolvers<void>();
    response.once("drain", drained.resolve);
    await Promise.race([drained.promise, gone]);
    response.off("drain", drained.resolve);
    clearTimeout(late);
  };
}
