/** One request on its way through the server: what is known of it before anybody has read its body. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Http2ServerRequest, Http2ServerResponse } from "node:http2";
import type { Caller } from "../service/caller.ts";

export type HttpRequest = IncomingMessage | Http2ServerRequest;
export type HttpResponse = ServerResponse | Http2ServerResponse;

export interface Call {
  readonly requestId: string;
  /** W3C trace context. */
  readonly traceparent?: string;
  /** Absent: nobody that a token or certificate of ours tells of. A dialect that knows him by a signature says so. */
  caller?: Caller;
  /** What is asked for, for log and metrics: one of few. */
  operation: string;
  /** What came of it, where the HTTP status does not say it. */
  outcome?: string;
}

/** Answers some of the requests: Connect, the plain neighbours, and the vendors' dialects. */
export interface HttpHandler {
  /** For log and metrics. */
  readonly name: string;
  matches(request: HttpRequest): boolean;
  /** Resolves when it has answered. What it throws becomes an answer, as long as there is none yet. */
  handle(request: HttpRequest, response: HttpResponse, call: Call): Promise<void>;
}

/** The path of a request, without its query. */
export function pathOf(request: HttpRequest): string {
  return (request.url ?? "").split("?", 1)[0] ?? "";
}

/** The one value of a header; several are none. */
export function headerOf(request: HttpRequest, name: string): string | undefined {
  const value = request.headers[name];
  return typeof value === "string" ? value : undefined;
}
