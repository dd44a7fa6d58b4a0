/**
 * A loopback stand-in that speaks the dialect of Alibaba OSS strictly. It is not OSS: it is written from the public
 * API reference, and whatever that leaves open may differ. It checks signatures (V1 and V4, header and URL), clock
 * skew, addressing, part rules, MD5 and conditions, computes CRC-64 with its own plain code, and keeps bytes in files
 * with holes, so that large uploads need no memory. Copies share bytes.
 */
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { type AddressInfo, isIP } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { Bucket } from "./bucket.ts";
import { type Call, escapeXml, type Kind, kindOf, type Reply } from "./call.ts";
import * as multipart from "./multipart.ts";
import * as object from "./object.ts";
import { Refusal } from "./refusal.ts";
import { type Account, verify } from "./signature.ts";
import { Storage } from "./storage.ts";

/** What happens to a request in place of, or after, what it asks for. */
export type Fate =
  | {
      readonly act: "refuse";
      readonly status: number;
      readonly code: string;
      readonly headers?: Readonly<Record<string, string>>;
    }
  /** `before`: nothing is done. `after`: it is done, and the reply is lost. `within`: half of the reply arrives. */
  | { readonly act: "cut"; readonly when: "before" | "after" | "within" }
  /** It is done, and the reply never comes: the client must leave. */
  | { readonly act: "hold" }
  /** The reply's headers are changed; an empty value removes one. */
  | { readonly act: "alter"; readonly headers: Readonly<Record<string, string>> };

export interface Injection {
  readonly kind: Kind;
  readonly fate: Fate;
  /** Which request of the kind, counted from now; 1 is the next. */
  readonly nth?: number;
  /** How many from there on. */
  readonly times?: number;
}

export interface StrictOssOptions {
  /** Such as `cn-hangzhou`. */
  readonly region?: string;
  readonly accounts?: readonly Account[];
  readonly buckets?: readonly string[];
  /** Those of the buckets that keep versions. */
  readonly versioned?: readonly string[];
  readonly copiedCrc?: "given" | "withheld";
  /** Where the bytes go; a fresh directory that is removed in the end when not given. */
  readonly directory?: string;
  readonly now?: () => number;
  readonly faults?: readonly Injection[];
}

/** A request that was understood, for tests to count. */
export interface Seen {
  readonly kind: Kind;
  readonly bucket: string;
  readonly key: string;
  readonly query: ReadonlyMap<string, string | null>;
  readonly headers: Readonly<Record<string, string>>;
  readonly addressing: "virtual-host" | "path";
}

export interface StrictOss extends AsyncDisposable {
  /** `http://127.0.0.1:PORT`. */
  readonly endpoint: string;
  readonly port: number;
  readonly seen: readonly Seen[];
  /** Requests of any kind so far, those refused for their signature included. */
  readonly requests: number;
  /** Requests of one kind so far. */
  count(kind: Kind): number;
  inject(injection: Injection): void;
  bucket(name: string): Bucket;
  read(bucket: string, key: string): Promise<Buffer>;
  /** Files of bytes that something still refers to. */
  readonly blobs: number;
}

export const TEST_ACCOUNT: Account = { accessKeyId: "LTAItest", accessKeySecret: "test-secret" };

const HANDLERS: Readonly<Record<Kind, (call: Call) => Reply | Promise<Reply>>> = {
  InitiateMultipartUpload: multipart.initiate,
  UploadPart: multipart.uploadPart,
  UploadPartCopy: multipart.uploadPartCopy,
  CompleteMultipartUpload: multipart.complete,
  AbortMultipartUpload: multipart.abort,
  ListParts: multipart.listParts,
  ListMultipartUploads: multipart.listUploads,
  PutObject: object.put,
  CopyObject: object.copy,
  GetObject: object.get,
  HeadObject: object.head,
  DeleteObject: object.remove,
  DeleteMultipleObjects: object.removeMany,
  ListObjects: object.list,
  ListObjectsV2: object.list,
};

export async function startStrictOss(options: StrictOssOptions = {}): Promise<StrictOss> {
  const { region = "cn-hangzhou", accounts = [TEST_ACCOUNT], now = Date.now } = options;
  const directory = options.directory ?? (await mkdtemp(join(tmpdir(), "strict-oss-")));
  const storage = new Storage(directory);
  const buckets = new Map<string, Bucket>();
  for (const name of [...(options.buckets ?? ["images"]), ...(options.versioned ?? [])]) {
    buckets.set(name, new Bucket(name, options.versioned?.includes(name) ? "enabled" : "off", storage));
  }
  const seen: Seen[] = [];
  let requests = 0;
  const pending = (options.faults ?? []).map((fault) => ({ ...fault }));

  function fateOf(kind: Kind): Fate | undefined {
    let fate: Fate | undefined;
    for (const fault of pending) {
      if (fault.kind !== kind) continue;
      const nth = fault.nth ?? 1;
      if (nth > 1) fault.nth = nth - 1;
      else if (fate === undefined && (fault.times ?? 1) > 0) {
        fault.times = (fault.times ?? 1) - 1;
        fate = fault.fate;
      }
    }
    return fate;
  }

  async function answer(request: IncomingMessage): Promise<{ readonly reply: Reply; readonly fate?: Fate }> {
    requests += 1;
    const { method = "" } = request;
    const headers = headersOf(request);
    const target = targetOf(request, region);
    const query = queryOf(request.url ?? "");
    const { key } = target;
    verify({ method, bucket: target.bucket, key, query, headers }, { region, accounts, now });
    const kind = kindOf(method, key, query, headers);
    seen.push({ kind, key, query, headers, bucket: target.bucket, addressing: target.addressing });
    const fate = fateOf(kind);
    if (fate?.act === "refuse") {
      throw new Refusal(fate.status, fate.code, "As the test asked.", { headers: fate.headers ?? {} });
    }
    if (fate?.act === "cut" && fate.when === "before") return { reply: { status: 500, headers: {} }, fate };
    checkTrafficLimit(headers["x-oss-traffic-limit"] ?? query.get("x-oss-traffic-limit"));
    const bucket = buckets.get(target.bucket);
    if (bucket === undefined) throw new Refusal(404, "NoSuchBucket", "The specified bucket does not exist.");
    const { copiedCrc = "withheld" } = options;
    const call: Call = { kind, bucket, key, query, headers, body: request, storage, buckets, copiedCrc, now };
    const reply = await HANDLERS[kind](call);
    return fate === undefined ? { reply } : { reply, fate };
  }

  const server = createServer((request, response) => {
    void serve(request, response).catch(() => response.destroy());
  });

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.setHeader("server", "StrictOssStandIn");
    const requestId = randomBytes(12).toString("hex").toUpperCase();
    response.setHeader("x-oss-request-id", requestId);
    try {
      const { reply, fate } = await answer(request);
      if (fate?.act === "hold") return;
      if (fate?.act === "cut" && fate.when !== "within") {
        response.destroy();
        return;
      }
      const altered = fate?.act === "alter" ? fate.headers : {};
      const headers = Object.entries({ ...reply.headers, ...altered }).filter(([, value]) => value !== "");
      await send(response, { ...reply, headers: Object.fromEntries(headers) }, fate);
    } catch (error) {
      if (request.destroyed && !request.complete) {
        response.destroy();
        return;
      }
      const refusal = error instanceof Refusal ? error : new Refusal(500, "InternalError", String(error));
      request.resume();
      if (!request.complete) await once(request, "end");
      await send(response, refused(refusal, requestId, request), undefined);
    }
  }

  function refused(refusal: Refusal, requestId: string, request: IncomingMessage): Reply {
    const content =
      `<Code>${refusal.code}</Code><Message>${escapeXml(refusal.message)}</Message>` +
      `<RequestId>${requestId}</RequestId><HostId>${escapeXml(request.headers.host ?? "")}</HostId>` +
      `<EC>${refusal.ec}</EC>`;
    const time =
      refusal.code === "RequestTimeTooSkewed"
        ? `<ServerTime>${new Date(now()).toISOString()}</ServerTime>`
        : "";
    const text = `<?xml version="1.0" encoding="UTF-8"?>\n<Error>${content}${time}</Error>`;
    const headers = { ...refusal.headers, "x-oss-ec": refusal.ec };
    if (refusal.status === 304) return { status: 304, headers };
    if (request.method === "HEAD") {
      return {
        status: refusal.status,
        headers: { ...headers, "x-oss-err": Buffer.from(text).toString("base64") },
      };
    }
    return { status: refusal.status, headers: { ...headers, "content-type": "application/xml" }, body: text };
  }

  function bucketNamed(name: string): Bucket {
    const bucket = buckets.get(name);
    if (bucket === undefined) throw new Error(`no bucket ${name}`);
    return bucket;
  }

  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    endpoint: `http://127.0.0.1:${port}`,
    port,
    seen,
    count: (kind) => seen.filter((request) => request.kind === kind).length,
    inject: (injection) => {
      pending.push({ ...injection });
    },
    bucket: bucketNamed,
    async read(bucketName, key) {
      const { pieces, size } = bucketNamed(bucketName).get(key);
      const chunks: Buffer[] = [];
      for await (const chunk of storage.read(pieces, 0, size)) chunks.push(chunk);
      return Buffer.concat(chunks);
    },
    get requests() {
      return requests;
    },
    get blobs() {
      return storage.blobs;
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
      if (options.directory === undefined) await rm(directory, { recursive: true, force: true });
    },
  };
}

async function send(response: ServerResponse, reply: Reply, fate: Fate | undefined): Promise<void> {
  const { body } = reply;
  const length =
    body === undefined ? undefined : typeof body === "string" ? Buffer.byteLength(body) : body.length;
  const size = length === undefined ? {} : { "content-length": String(length) };
  response.writeHead(reply.status, { "content-length": "0", ...reply.headers, ...size });
  const chunks = body === undefined ? [] : typeof body === "string" ? [Buffer.from(body)] : body.chunks;
  const half = Math.floor((length ?? 0) / 2);
  const isCut = fate?.act === "cut";
  await pipeline(Readable.from(isCut ? firstOf(chunks, half) : chunks), response, { end: !isCut });
  // What was written is on its way before the connection ends.
  if (isCut) response.socket?.end();
}

async function* firstOf(
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  length: number,
): AsyncGenerator<Uint8Array> {
  let left = length;
  for await (const chunk of chunks) {
    yield chunk.subarray(0, left);
    left -= Math.min(left, chunk.length);
    if (left === 0) return;
  }
}

/**
 * The bucket in the Host header, under the region's own hosts or `localhost`; else, on an IP address or `localhost`,
 * the first segment of the path, which OSS itself would refuse.
 */
function targetOf(
  request: IncomingMessage,
  region: string,
): { readonly bucket: string; readonly key: string; readonly addressing: Seen["addressing"] } {
  const host = (request.headers.host ?? "").replace(/:\d+$/, "");
  const path = decode((request.url ?? "/").split("?")[0]?.slice(1) ?? "");
  const suffixes = [`.oss-${region}.aliyuncs.com`, ".localhost"];
  const suffix = suffixes.find((candidate) => host.endsWith(candidate));
  if (suffix !== undefined) {
    return { bucket: host.slice(0, -suffix.length), key: path, addressing: "virtual-host" };
  }
  if (isIP(host) === 0 && host !== "localhost") {
    throw new Refusal(403, "AccessDenied", "The bucket must be addressed using the specified endpoint.");
  }
  const [bucket = "", ...key] = path.split("/");
  return { bucket, key: key.join("/"), addressing: "path" };
}

function queryOf(url: string): ReadonlyMap<string, string | null> {
  const text = url.split("?").slice(1).join("?");
  const query = new Map<string, string | null>();
  for (const field of text.split("&").filter((part) => part !== "")) {
    const [name = "", ...value] = field.split("=");
    if (query.has(decode(name))) throw new Refusal(400, "InvalidArgument", "A parameter is given twice.");
    query.set(decode(name), value.length === 0 ? null : decode(value.join("=")));
  }
  return query;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new Refusal(400, "InvalidURI", "Could not parse the specified URI.");
  }
}

function headersOf(request: IncomingMessage): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(request.headers)) {
    if (value !== undefined) headers[name] = Array.isArray(value) ? value.join(",") : value;
  }
  return headers;
}

function checkTrafficLimit(text: string | null | undefined): void {
  if (text === undefined || text === null) return;
  const value = Number(text);
  if (!Number.isInteger(value) || value < 245_760 || value > 838_860_800) {
    throw new Refusal(400, "InvalidArgument", "x-oss-traffic-limit must be 245760 to 838860800.");
  }
}
