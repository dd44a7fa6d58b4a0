/**
 * THE ENDPOINT: Connect with its plain neighbours on one cleartext port and one TLS port, and whatever else is hung
 * beside them. It knows the use cases, and nothing of how they are done.
 */
import type { AddressInfo } from "node:net";
import { Code, ConnectError } from "@connectrpc/connect";
import { codeToString } from "@connectrpc/connect/protocol-connect";
import { Fault } from "../fault/fault.ts";
import type { TaskRecord } from "../record/record.ts";
import type { Service } from "../service/service.ts";
import type { Log } from "../telemetry/log.ts";
import { closed, cut, refuse } from "./answer.ts";
import { type Call, type HttpHandler, type HttpRequest, type HttpResponse, pathOf } from "./call.ts";
import { connectError } from "./connect/connect-error.ts";
import { connectHandler } from "./connect/handler.ts";
import { connectRoutes } from "./connect/routes.ts";
import type { Daemon } from "./daemon.ts";
import { defectNote } from "./defect.ts";
import { eventsHandler } from "./events.ts";
import { type Grants, identifier } from "./identify.ts";
import {
  type Address,
  openCleartext,
  openTls,
  type SocketLimits,
  type TlsAddress,
  type TlsMaterial,
  type TlsPort,
} from "./listen.ts";
import { type MetricsOptions, probeHandler } from "./probes.ts";
import { requestIdOf, traceparentOf } from "./trace.ts";

export interface ServerOptions {
  readonly cleartext?: Address;
  readonly tls?: TlsAddress;
  readonly grants: Grants;
  readonly service: Service;
  readonly daemon: Daemon;
  /** Never throws: an answer does not depend on it. */
  readonly audit: TaskRecord["audit"];
  readonly metrics: MetricsOptions;
  /** Asked in this order, after our own. */
  readonly handlers?: readonly HttpHandler[];
  readonly log: Log;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Names a request that brings no name of its own. */
  readonly newId: () => string;
  readonly limits?: Partial<Limits>;
}

export interface Limits extends SocketLimits {
  /** Bytes of one message or body. */
  readonly bodyBytes: number;
  /** How long a reader may leave an answer lying. */
  readonly writeMs: number;
  /** Between two signs of life of `/v1/events`. */
  readonly heartbeatMs: number;
  /** Of `/v1/events`, at once. */
  readonly watchers: number;
  /** How often a health watch looks. */
  readonly healthMs: number;
}

export const LIMITS: Limits = {
  headersMs: 10_000,
  requestMs: 30_000,
  idleMs: 75_000,
  connections: 2_000,
  // Watchers may well share one connection.
  streams: 500,
  graceMs: 10_000,
  bodyBytes: 1024 ** 2,
  writeMs: 30_000,
  heartbeatMs: 15_000,
  watchers: 1_000,
  healthMs: 2_000,
};

export interface Server extends AsyncDisposable {
  readonly cleartext?: AddressInfo;
  readonly tls?: AddressInfo;
  /** Of the TLS port, if there is one. See TlsPort. */
  renew(material: TlsMaterial): void;
}

/** @throws Fault when an address cannot be had. */
export async function openServer(options: ServerOptions): Promise<Server> {
  const { service, daemon, audit, metrics, grants, log, now, newId } = options;
  const limits = { ...LIMITS, ...options.limits };
  const shutdown = new AbortController();
  const identify = identifier(grants);
  const defect = defectNote(log);
  const handlers = [
    connectHandler({
      routes: connectRoutes({ service, daemon, audit, now, healthMs: limits.healthMs }),
      messageBytes: limits.bodyBytes,
      writeMs: limits.writeMs,
      shutdown: shutdown.signal,
      defect,
    }),
    eventsHandler({ service, ...limits, shutdown: shutdown.signal, defect }),
    probeHandler(daemon, metrics),
    ...(options.handlers ?? []),
  ];

  function callOf(request: HttpRequest): Call {
    const requestId = requestIdOf(request, newId);
    const traceparent = traceparentOf(request);
    const trace = { requestId, ...(traceparent === undefined ? {} : { traceparent }) };
    const known = identify(request);
    return {
      ...trace,
      operation: "unknown",
      ...(known === undefined ? {} : { caller: { ...known, ...trace } }),
    };
  }

  async function serve(request: HttpRequest, response: HttpResponse): Promise<void> {
    const began = now();
    // An answer that has been sent lets go of its connection.
    const { socket } = request;
    const from = socket.remoteAddress;
    const call = callOf(request);
    response.setHeader("x-request-id", call.requestId);
    const inTime = bodyDeadline(request, response, limits.requestMs);
    try {
      const handler = handlers.find((one) => one.matches(request));
      if (handler === undefined) throw new Fault("NOT_FOUND", `there is nothing at ${pathOf(request)}`);
      call.operation = handler.name;
      await handler.handle(request, response, call);
    } catch (error) {
      const refusal = connectError(error, call.requestId);
      call.outcome = codeToString(refusal.code);
      if (refusal.code === Code.Internal && !inTime.missed) defect(error, call);
      if (response.headersSent) cut(response);
      else refuse(response, refusal);
    }
    await closed(response);
    inTime.stop();
    if (!arrived(request) && !("stream" in request)) leave(socket);
    const ms = now() - began;
    const { caller, ...told } = call;
    const who = caller === undefined ? {} : { caller: caller.name, project: caller.project };
    const status = response.statusCode;
    metrics.answered(call.operation, call.outcome ?? String(status), ms / 1000);
    log.note("info", "call", { ...told, method: request.method, status, ms, from, ...who });
  }

  const listener = (request: HttpRequest, response: HttpResponse): void => {
    // A request that breaks off is noticed by whoever reads it; nobody else listens for its error.
    request.on("error", () => {});
    response.on("error", () => {});
    serve(request, response).catch((error: unknown) => {
      defect(error, { requestId: "", operation: "unknown" });
      cut(response);
    });
  };
  const cleartext = options.cleartext && (await openCleartext(options.cleartext, limits, listener));
  const close = async () => {
    shutdown.abort(new ConnectError("the daemon is shutting down: ask again later", Code.Unavailable));
    await Promise.all([cleartext?.[Symbol.asyncDispose](), tls?.[Symbol.asyncDispose]()]);
  };
  let tls: TlsPort | undefined;
  try {
    tls = options.tls && (await openTls(options.tls, limits, listener));
  } catch (error) {
    await close();
    throw error;
  }
  return {
    ...(cleartext === undefined ? {} : { cleartext: cleartext.address }),
    ...(tls === undefined ? {} : { tls: tls.address }),
    renew: (material) => tls?.renew(material),
    [Symbol.asyncDispose]: close,
  };
}

/** Whoever sends his body too slowly is cut off: HTTP/2 has no deadline of its own for that. */
function bodyDeadline(request: HttpRequest, response: HttpResponse, ms: number) {
  const timer = setTimeout(() => {
    if (arrived(request)) return;
    deadline.missed = true;
    if (response.headersSent) cut(response);
    else {
      const message = `the request did not arrive within ${ms / 1000} s`;
      refuse(response, new ConnectError(message, Code.DeadlineExceeded));
      request.destroy();
    }
  }, ms);
  /** `missed`: the answer has been given, and whoever reads the body finds it broken off. */
  const deadline = { missed: false, stop: () => clearTimeout(timer) };
  return deadline;
}

/**
 * Ends the connection of a request of HTTP/1.1 that was answered before it was all there: nobody reads the rest. The
 * client gets time to read the answer, which a connection that is destroyed at once may take away from him.
 */
function leave(socket: HttpRequest["socket"]): void {
  socket.end();
  setTimeout(() => socket.destroy(), LINGER_MS).unref();
}

const LINGER_MS = 1_000;

/** Whether all of it is here, read or not. */
function arrived(request: HttpRequest): boolean {
  return "stream" in request ? request.stream.endAfterHeaders || request.readableEnded : request.complete;
}
