/**
 * THE ENDPOINT: Connect with its plain neighbours on one cleartext port and one TLS port, and whatever else is hung
 * beside them. It knows the use cases, and nothing of how they are done.
 */
import type { AddressInfo } from "node:net";
import { Code, ConnectError } from "@connectrpc/connect";
import { Fault } from "../fault/fault.ts";
import type { Service } from "../service/service.ts";
import type { Log } from "../telemetry/log.ts";
import { closed, cut, refuse } from "./answer.ts";
import { type Call, type HttpHandler, type HttpRequest, type HttpResponse, pathOf } from "./call.ts";
import { connectError } from "./connect/connect-error.ts";
import { connectHandler } from "./connect/handler.ts";
import { connectRoutes } from "./connect/routes.ts";
import { type Grants, identifier } from "./identify.ts";
import { type Address, openCleartext, openTls, type SocketLimits, type TlsAddress } from "./listen.ts";
import { requestIdOf, traceparentOf } from "./trace.ts";

export interface ServerOptions {
  readonly cleartext?: Address;
  readonly tls?: TlsAddress;
  readonly grants: Grants;
  readonly service: Service;
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
}

const LIMITS: Limits = {
  headersMs: 10_000,
  requestMs: 30_000,
  idleMs: 75_000,
  connections: 2_000,
  // Watchers may well share one connection.
  streams: 500,
  graceMs: 10_000,
  bodyBytes: 1024 ** 2,
  writeMs: 30_000,
};

export interface Server extends AsyncDisposable {
  readonly cleartext?: AddressInfo;
  readonly tls?: AddressInfo;
}

/** @throws Fault when an address cannot be had. */
export async function openServer(options: ServerOptions): Promise<Server> {
  const { service, grants, log, now, newId } = options;
  const limits = { ...LIMITS, ...options.limits };
  const shutdown = new AbortController();
  const identify = identifier(grants);
  const handlers = [
    connectHandler({
      routes: connectRoutes(service),
      messageBytes: limits.bodyBytes,
      writeMs: limits.writeMs,
      shutdown: shutdown.signal,
    }),
    ...(options.handlers ?? []),
  ];

  function callOf(request: HttpRequest): Call {
    const requestId = requestIdOf(request, newId);
    const traceparent = traceparentOf(request);
    const trace = { requestId, ...(traceparent === undefined ? {} : { traceparent }) };
    const known = identify(request);
    return known === undefined ? trace : { ...trace, caller: { ...known, ...trace } };
  }

  async function serve(request: HttpRequest, response: HttpResponse): Promise<void> {
    const began = now();
    const call = callOf(request);
    response.setHeader("x-request-id", call.requestId);
    const inTime = bodyDeadline(request, response, limits.requestMs);
    try {
      const handler = handlers.find((one) => one.matches(request));
      if (handler === undefined) throw new Fault("NOT_FOUND", `there is nothing at ${pathOf(request)}`);
      await handler.handle(request, response, call);
    } catch (error) {
      const refusal = connectError(error, call.requestId);
      call.outcome = Code[refusal.code];
      if (refusal.code === Code.Internal) note("error", "defect", request, call, { error: String(error) });
      if (response.headersSent) cut(response);
      else refuse(response, refusal);
    }
    await closed(response);
    inTime.stop();
    note("info", "call", request, call, { status: response.statusCode, ms: now() - began });
  }

  function note(
    level: "info" | "error",
    event: string,
    request: HttpRequest,
    { requestId, traceparent, caller, outcome }: Call,
    fields: Readonly<Record<string, unknown>>,
  ): void {
    const { method, httpVersion } = request;
    const from = request.socket?.remoteAddress;
    const who = caller === undefined ? {} : { caller: caller.name, project: caller.project };
    log.note(level, event, {
      ...{ method, path: pathOf(request), httpVersion, from, requestId, traceparent, outcome },
      ...who,
      ...fields,
    });
  }

  const listener = (request: HttpRequest, response: HttpResponse): void => {
    // A request that breaks off is noticed by whoever reads it; nobody else listens for its error.
    request.on("error", () => {});
    response.on("error", () => {});
    serve(request, response).catch((error: unknown) => {
      log.note("error", "defect", { error: String(error) });
      cut(response);
    });
  };
  const cleartext = options.cleartext && (await openCleartext(options.cleartext, limits, listener));
  const tls = options.tls && (await openTls(options.tls, limits, listener));
  return {
    ...(cleartext === undefined ? {} : { cleartext: cleartext.address }),
    ...(tls === undefined ? {} : { tls: tls.address }),
    async [Symbol.asyncDispose]() {
      shutdown.abort(new ConnectError("the daemon is shutting down: ask again later", Code.Unavailable));
      await Promise.all([cleartext?.close(), tls?.close()]);
    },
  };
}

/** Whoever sends his body too slowly is cut off: HTTP/2 has no deadline of its own for that. */
function bodyDeadline(request: HttpRequest, response: HttpResponse, ms: number) {
  const late = setTimeout(() => {
    if (response.headersSent) cut(response);
    else {
      refuse(
        response,
        new ConnectError(`the request did not arrive within ${ms / 1000} s`, Code.DeadlineExceeded),
      );
      request.destroy();
    }
  }, ms);
  const stop = () => clearTimeout(late);
  request.once("end", stop);
  request.once("close", stop);
  return { stop };
}
