/** Connect, gRPC and gRPC-Web: the services, and what holds for every call of them. */
import {
  Code,
  type ConnectError,
  type ConnectRouter,
  createConnectRouter,
  createContextKey,
  createContextValues,
  type HandlerContext,
  type Interceptor,
} from "@connectrpc/connect";
import {
  compressionBrotli,
  compressionGzip,
  universalRequestFromNodeRequest,
  universalResponseToNodeResponse,
} from "@connectrpc/connect-node";
import type { Caller } from "../../service/caller.ts";
import { closed, cut } from "../answer.ts";
import { type Call, type HttpHandler, type HttpResponse, pathOf } from "../call.ts";
import { connectError, unauthenticated } from "./connect-error.ts";
import { Health } from "./generated/grpc/health/v1/health_pb.ts";

export interface ConnectOptions {
  readonly routes: (router: ConnectRouter) => void;
  /** Bytes of one message. */
  readonly messageBytes: number;
  /** How long a reader may leave an answer lying. */
  readonly writeMs: number;
  /** Ends streams when it fires. */
  readonly shutdown: AbortSignal;
}

const CALL = createContextKey<Call>({ requestId: "" });

export function connectHandler({ routes, messageBytes, writeMs, shutdown }: ConnectOptions): HttpHandler {
  const router = createConnectRouter({
    acceptCompression: [compressionGzip, compressionBrotli],
    readMaxBytes: messageBytes,
    jsonOptions: { alwaysEmitImplicit: true, ignoreUnknownFields: false },
    interceptors: [faults],
    requestGate: gate,
    shutdownSignal: shutdown,
  });
  routes(router);
  const handlers = new Map(router.handlers.map((handler) => [handler.requestPath, handler]));
  return {
    matches: (request) => handlers.has(pathOf(request)),
    async handle(request, response, call) {
      const values = createContextValues().set(CALL, call);
      const asked = universalRequestFromNodeRequest(request, response, undefined, values);
      const answer = await handlers.get(pathOf(request))?.(asked);
      if (answer === undefined) return;
      const body = answer.body && paced(answer.body, response, writeMs);
      const sent = universalResponseToNodeResponse(
        body === undefined ? answer : { ...answer, body },
        response,
      );
      await Promise.race([sent, closed(response)]);
    },
  };
}

/** Who asks; the gate lets nobody else through. */
export function callerOf({ values }: Pick<HandlerContext, "values">): Caller {
  const { caller } = values.get(CALL);
  if (caller === undefined) throw unauthenticated();
  return caller;
}

/** Before the body is read. Probes of the health protocol bring no token. */
function gate(context: HandlerContext): void {
  if (context.method !== Health.method.check) callerOf(context);
}

const faults: Interceptor = (next) => async (request) => {
  const call = request.contextValues.get(CALL);
  const refused = (error: unknown): ConnectError => {
    const refusal = connectError(error, call.requestId);
    call.outcome = Code[refusal.code];
    return refusal;
  };
  try {
    const response = await next(request);
    if (!response.stream) return response;
    return { ...response, message: refusing(response.message, request.signal, refused) };
  } catch (error) {
    throw refused(error);
  }
};

/** A stream that ends because the call was aborted says so: its reader must not take it for complete. */
async function* refusing<T>(
  messages: AsyncIterable<T>,
  signal: AbortSignal,
  refused: (error: unknown) => ConnectError,
): AsyncGenerator<T> {
  try {
    yield* messages;
    signal.throwIfAborted();
  } catch (error) {
    throw refused(error);
  }
}

/** Hands out a chunk after the other; a reader who does not take one in time loses the connection. */
async function* paced<T>(chunks: AsyncIterable<T>, response: HttpResponse, ms: number): AsyncGenerator<T> {
  for await (const chunk of chunks) {
    const timer = setTimeout(() => cut(response), ms);
    try {
      yield chunk;
    } finally {
      clearTimeout(timer);
    }
  }
}
