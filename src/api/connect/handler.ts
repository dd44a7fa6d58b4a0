/** Connect, gRPC and gRPC-Web: the services, and what holds for every call of them. */
import {
  Code,
  ConnectError,
  type ConnectRouter,
  createConnectRouter,
  createContextKey,
  createContextValues,
  type HandlerContext,
  type Interceptor,
} from "@connectrpc/connect";
import {
  createAsyncIterable,
  readAllBytes,
  type UniversalServerResponse,
} from "@connectrpc/connect/protocol";
import { codeToString, errorFromJsonBytes, errorToJsonBytes } from "@connectrpc/connect/protocol-connect";
import {
  compressionBrotli,
  compressionGzip,
  universalRequestFromNodeRequest,
  universalResponseToNodeResponse,
} from "@connectrpc/connect-node";
import { Fault } from "../../fault/fault.ts";
import type { Caller } from "../../service/caller.ts";
import { malformed } from "../../service/wellformed.ts";
import { closed, cut, refuse } from "../answer.ts";
import { type Call, type HttpHandler, type HttpRequest, pathOf } from "../call.ts";
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
  /** Notes what is our own fault. */
  defect(error: unknown, call: Call): void;
}

/** Bytes: more than any refusal has. */
const MOST_REFUSAL = 65_536;

const CALL = createContextKey<Call>({ requestId: "", operation: "" });

export function connectHandler(options: ConnectOptions): HttpHandler {
  const { routes, messageBytes, writeMs, shutdown } = options;
  const router = createConnectRouter({
    acceptCompression: [compressionGzip, compressionBrotli],
    readMaxBytes: messageBytes,
    jsonOptions: { alwaysEmitImplicit: true, ignoreUnknownFields: false },
    interceptors: [faults(options)],
    requestGate: gate,
    // A refusal is looked into before it is sent.
    compressMinBytes: MOST_REFUSAL,
    shutdownSignal: shutdown,
  });
  routes(router);
  const handlers = new Map(router.handlers.map((handler) => [handler.requestPath, handler]));
  return {
    name: "connect",
    matches: (request) => handlers.has(pathOf(request)),
    async handle(request, response, call) {
      call.operation = pathOf(request);
      const reading = handlers.get(call.operation);
      if (reading === undefined) throw new Fault("NOT_FOUND", `there is nothing at ${call.operation}`);
      checkAuthority(request);
      const values = createContextValues().set(CALL, call);
      const asked = universalRequestFromNodeRequest(request, response, undefined, values);
      shorten(asked.header);
      const reply = await withDetail(await reading(asked), call);
      if (reply.body === undefined) {
        refuse(
          response,
          new ConnectError(MISFITS[reply.status] ?? "the request cannot be", Code.Unimplemented),
          reply.status,
        );
      } else {
        const stop = (code: Code): void => {
          call.outcome ??= codeToString(code);
          cut(response);
        };
        const body = paced(reply.body, () => stop(Code.DeadlineExceeded), writeMs);
        // What breaks from here on is the connection: the call itself has become an answer.
        const sent = universalResponseToNodeResponse({ ...reply, body }, response).catch(() =>
          stop(Code.Canceled),
        );
        await Promise.race([sent, closed(response)]);
      }
    },
  };
}

/** Milliseconds: beyond it, Node's timers fire at once. */
const MOST_TIMER = 2 ** 31 - 1;
const GRPC_UNITS: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1000 };

/** Whoever has weeks to wait has 24 days. */
function shorten(header: Headers): void {
  if (Number(header.get("connect-timeout-ms")) > MOST_TIMER)
    header.set("connect-timeout-ms", String(MOST_TIMER));
  const [, count, unit = ""] = /^([0-9]{1,8})([HMS])$/.exec(header.get("grpc-timeout") ?? "") ?? [];
  const tooLong = Number(count) * (GRPC_UNITS[unit] ?? 0) > MOST_TIMER;
  if (tooLong) header.set("grpc-timeout", `${Math.floor(MOST_TIMER / 1000)}S`);
}

/** What Connect itself refuses in a unary call has no detail yet: it is refused before anything of ours runs. */
async function withDetail(reply: UniversalServerResponse, call: Call): Promise<UniversalServerResponse> {
  const { status, body, header } = reply;
  if (status < 400 || body === undefined || header?.get("content-type") !== "application/json") return reply;
  const told = await readAllBytes(body, MOST_REFUSAL);
  const refusal = errorFromJsonBytes(told, undefined, new ConnectError(`HTTP ${status}`, Code.Unknown));
  call.outcome ??= codeToString(refusal.code);
  const bytes =
    refusal.details.length > 0 ? told : errorToJsonBytes(connectError(refusal, call.requestId), {});
  header.set("content-length", String(bytes.length));
  return { ...reply, body: createAsyncIterable([bytes]) };
}

/** Connect answers with a bare status what is none of its requests. */
const MISFITS: Readonly<Record<number, string>> = {
  405: "this is asked with POST",
  415: "send JSON as application/json, or what Connect, gRPC and gRPC-Web send",
};

/** What comes next makes a URL of it. */
function checkAuthority(request: HttpRequest): void {
  const authority = "authority" in request ? request.authority : request.headers.host;
  if (authority === undefined || !URL.canParse(request.url ?? "", `http://${authority}`)) {
    throw malformed("host", "the request names no host, or one that cannot be");
  }
}

/** Who asks; the gate lets nobody else through. */
export function callerOf({ values }: Pick<HandlerContext, "values">): Caller {
  const { caller } = values.get(CALL);
  if (caller === undefined) throw unauthenticated();
  return caller;
}

/** Runs before the body is read. Probes of the health protocol bring no token. */
function gate(context: HandlerContext): void {
  if (context.method === Health.method.check || context.values.get(CALL).caller !== undefined) return;
  const refusal = unauthenticated();
  context.values.get(CALL).outcome = codeToString(refusal.code);
  throw refusal;
}

function faults({ defect }: Pick<ConnectOptions, "defect">): Interceptor {
  return (next) => async (request) => {
    const call = request.contextValues.get(CALL);
    const refused = (error: unknown): ConnectError => {
      const refusal = connectError(error, call.requestId);
      if (refusal.code === Code.Internal) defect(error, call);
      call.outcome = codeToString(refusal.code);
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
}

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
async function* paced<T>(chunks: AsyncIterable<T>, drop: () => void, ms: number): AsyncGenerator<T> {
  for await (const chunk of chunks) {
    const timer = setTimeout(drop, ms);
    try {
      yield chunk;
    } finally {
      clearTimeout(timer);
    }
  }
}
