/** The SDK's requests over the program's own HTTP: one set of agents, bounded waits, errors as faults. */
import { http, readBytes } from "../../net/http.ts";
import { percentEncode } from "../../net/percent-encode.ts";

/** A request as the SDK hands it over. */
interface SdkRequest {
  readonly protocol: string;
  readonly hostname: string;
  readonly port?: number;
  readonly path: string;
  readonly query?: Readonly<Record<string, string | readonly string[] | null>>;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

interface SdkReply {
  readonly response: {
    statusCode: number;
    headers: Record<string, string>;
    body: Uint8Array;
  };
}

interface SdkOptions {
  readonly abortSignal?: unknown;
  readonly requestTimeout?: number;
}

/** Control replies are short: a page of a thousand parts is below 1 MiB. */
const MAX_REPLY = 16 * 1024 * 1024;

export interface Transport {
  readonly metadata: { readonly handlerProtocol: string };
  handle(request: SdkRequest, options?: SdkOptions): Promise<SdkReply>;
  destroy(): void;
  updateHttpClientConfig(): void;
  httpHandlerConfigs(): Record<string, never>;
}

export function openTransport(ca: string | undefined): Transport {
  return {
    metadata: { handlerProtocol: "http/1.1" },
    async handle(request, options = {}) {
      const name = `S3 at ${request.hostname}`;
      const { abortSignal } = options;
      const signal = abortSignal instanceof AbortSignal ? abortSignal : new AbortController().signal;
      const reply = await http(
        {
          method: request.method as "GET",
          url: urlOf(request),
          headers: request.headers,
          name,
          ...(request.body === undefined ? {} : { body: request.body as Uint8Array }),
          ...(ca === undefined ? {} : { ca }),
          ...(options.requestTimeout === undefined ? {} : { idleMs: options.requestTimeout }),
        },
        signal,
      );
      const body = await readBytes(reply, MAX_REPLY, name);
      return { response: { statusCode: reply.status, headers: { ...reply.headers }, body } };
    },
    destroy() {},
    updateHttpClientConfig() {},
    httpHandlerConfigs: () => ({}),
  };
}

function urlOf(request: SdkRequest): string {
  const port = request.port === undefined ? "" : `:${request.port}`;
  const query = Object.entries(request.query ?? {}).flatMap(([key, value]) => {
    const values = Array.isArray(value) ? value : [value];
    return values.map((one: string | null) =>
      one === null ? percentEncode(key) : `${percentEncode(key)}=${percentEncode(one)}`,
    );
  });
  return `${request.protocol}//${request.hostname}${port}${request.path}${query.length === 0 ? "" : `?${query.join("&")}`}`;
}
