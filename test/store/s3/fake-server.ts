/** An S3 server that answers what a test tells it to, for what no real server can be made to say. */
import { createServer, type IncomingHttpHeaders } from "node:http";

export interface Seen {
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  /** The S3 operation that it stands for. */
  readonly operation: Operation;
}

export type Operation =
  | "Create"
  | "Complete"
  | "Abort"
  | "UploadPart"
  | "UploadPartCopy"
  | "ListParts"
  | "Put"
  | "Head"
  | "Get"
  | "Delete"
  | "Other";

export interface Answer {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** Gets the request, how many of its operation there were, this one included, and what came before. */
export type Behaviour = Readonly<
  Partial<Record<Operation, (seen: Seen, times: number, server: FakeServer) => Answer | Promise<Answer>>>
>;

export interface FakeServer extends AsyncDisposable {
  readonly endpoint: string;
  readonly seen: readonly Seen[];
  /** Requests of one operation so far. */
  of(operation: Operation): Seen[];
}

const CREATED =
  "<InitiateMultipartUploadResult><UploadId>upload-1</UploadId></InitiateMultipartUploadResult>";
const COMPLETED = '<CompleteMultipartUploadResult><ETag>"x-1"</ETag></CompleteMultipartUploadResult>';

export function errorBody(code: string, message = "for a test"): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code><Message>${message}</Message></Error>`;
}

export function refusal(status: number, code: string, message?: string): Answer {
  return { status, body: errorBody(code, message) };
}

/** What a server without objects says where the test does not care. */
const USUAL: Behaviour = {
  Create: () => ({ body: CREATED }),
  Complete: () => ({ body: COMPLETED }),
  Abort: () => ({ status: 204 }),
  ListParts: () => refusal(404, "NoSuchUpload"),
  Head: () => ({ status: 404 }),
  Delete: () => ({ status: 204 }),
};

/** Operations without a behaviour get the usual answer. */
export async function startFakeServer(behaviour: Behaviour): Promise<FakeServer> {
  const seen: Seen[] = [];
  let fake: FakeServer;
  const of = (operation: Operation) => seen.filter((one) => one.operation === operation);
  const server = createServer(async (request, reply) => {
    const chunks: Uint8Array[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const url = new URL(request.url ?? "/", "http://fake");
    const query = url.searchParams;
    const { method = "", headers } = request;
    const operation = operationOf(method, query, headers);
    const one = { method, path: url.pathname, query, headers, body: Buffer.concat(chunks), operation };
    seen.push(one);
    const behave = behaviour[operation] ?? USUAL[operation];
    const answer = (await behave?.(one, of(operation).length, fake)) ?? { status: 404 };
    reply.writeHead(answer.status ?? 200, { "content-type": "application/xml", ...answer.headers });
    reply.end(method === "HEAD" ? undefined : answer.body);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  fake = {
    endpoint: `http://127.0.0.1:${port}`,
    seen,
    of,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return fake;
}

function operationOf(method: string, query: URLSearchParams, headers: IncomingHttpHeaders): Operation {
  const upload = query.has("uploadId");
  switch (method) {
    case "POST":
      return upload ? "Complete" : query.has("uploads") ? "Create" : "Other";
    case "PUT":
      if (!upload) return "Put";
      return headers["x-amz-copy-source"] === undefined ? "UploadPart" : "UploadPartCopy";
    case "GET":
      return upload ? "ListParts" : query.size === 0 || query.has("X-Amz-Signature") ? "Get" : "Other";
    case "DELETE":
      return upload ? "Abort" : "Delete";
    case "HEAD":
      return "Head";
    default:
      return "Other";
  }
}
