/** The one way to speak HTTP: undici with bounded waits, errors as faults, and nothing secret in a message. */
import type { Agent, Dispatcher } from "undici";
import { Fault, type FaultCode } from "../fault/fault.ts";

/** `public`: servers with public addresses alone, whatever their names stand for when they are connected to. */
export type Reach = "public" | "anywhere";

export interface HttpRequest {
  readonly method: "GET" | "HEAD" | "PUT" | "POST" | "DELETE" | "COPY";
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** An iterable body needs a content-length header, and is sent as fast as the socket takes it. */
  readonly body?: string | Uint8Array | AsyncIterable<Uint8Array>;
  /** PEM text of further certificate authorities to trust. */
  readonly ca?: string;
  /** Absent: anywhere. */
  readonly reach?: Reach;
  /** For messages: what is being asked, without secrets, such as `swift://c/o`. */
  readonly name: string;
  /** Milliseconds without any byte from the server before the wait is given up. */
  readonly idleMs?: number;
}

export interface HttpReply {
  readonly status: number;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
  /** Must be read or dumped to free the connection. */
  readonly body: Dispatcher.ResponseData["body"];
}

/** Long enough for a slow store to commit a part, short enough to notice a dead one. */
const IDLE_MS = 120_000;
const CONNECT_MS = 15_000;
const LONGEST_RETRY_AFTER_MS = 24 * 60 * 60_000;

const agents = new Map<string, Promise<Agent>>();

// Loaded with the first request that needs them: a transfer between files starts without any.
const client = () => import("undici");
const publicAddress = () => import("./public-address.ts");

/**
 * One agent per set of authorities and reach; the lanes bound the connections. Unreferenced: does not keep a process
 * alive.
 */
function agentFor({ ca, reach }: HttpRequest): Promise<Agent> {
  const key = `${reach ?? "anywhere"} ${ca ?? ""}`;
  const known = agents.get(key);
  if (known !== undefined) return known;
  const made = makeAgent(ca, reach);
  agents.set(key, made);
  return made;
}

async function makeAgent(ca: string | undefined, reach: Reach | undefined): Promise<Agent> {
  const { Agent } = await client();
  return new Agent({
    pipelining: 1,
    keepAliveTimeout: 4_000,
    headersTimeout: IDLE_MS,
    bodyTimeout: IDLE_MS,
    connect: {
      timeout: CONNECT_MS,
      ...(ca === undefined ? {} : { ca: [...(await import("node:tls")).rootCertificates, ca] }),
      ...(reach === "public" ? { lookup: (await publicAddress()).lookupPublic } : {}),
    },
  });
}

/** Closes every idle connection: the last act of a process or thread. */
export async function closeHttp(): Promise<void> {
  await Promise.all([...agents.values()].map(async (agent) => (await agent).destroy()));
  agents.clear();
}

/**
 * Sends one request. Any status is a reply, not an error; see `refuse`.
 * @throws Fault NETWORK, TIMEOUT, PERMISSION (out of reach), or what `signal` was aborted with.
 */
export async function http(ask: HttpRequest, signal: AbortSignal): Promise<HttpReply> {
  const idle = ask.idleMs ?? IDLE_MS;
  try {
    const { request } = await client();
    // No address is looked up for a host that is one.
    if (ask.reach === "public") (await publicAddress()).refuseSpecial(new URL(ask.url).hostname);
    const reply = await request(ask.url, {
      method: ask.method,
      dispatcher: await agentFor(ask),
      headers: { "user-agent": "diskferry", ...ask.headers },
      body: (ask.body as never) ?? null,
      headersTimeout: idle,
      bodyTimeout: idle,
      signal,
    });
    const headers: Record<string, string> = {};
    for (const [name, value] of Object.entries(reply.headers)) {
      if (value !== undefined) headers[name] = Array.isArray(value) ? value.join(", ") : value;
    }
    return { status: reply.statusCode, headers, body: reply.body };
  } catch (error) {
    if (signal.aborted) throw Fault.from(signal.reason, ask.name);
    throw networkFault(error, ask);
  }
}

function networkFault(error: unknown, ask: HttpRequest): Fault {
  const origin = originOf(ask.url);
  const fault = Fault.from(error, `${ask.name}: ${ask.method} at ${origin}`);
  if (fault.code !== "INTERNAL") return fault;
  // What undici reports beyond errno: broken replies and TLS failures. Repeating helps the first, never the second.
  const code = (error as { code?: unknown }).code;
  const text = error instanceof Error ? error.message : String(error);
  const tls = typeof code === "string" && /CERT|TLS|SSL/.test(code);
  return new Fault(tls ? "STORE_REFUSED" : "NETWORK", `${ask.name}: ${ask.method} at ${origin}: ${text}`, {
    cause: error,
  });
}

function originOf(url: string): string {
  try {
    return new URL(url).origin;
  } catch {
    return "an unreadable address";
  }
}

/**
 * The whole body as bytes.
 * @throws Fault STORE_PROTOCOL when it is longer than `maxBytes`.
 */
export async function readBytes(reply: HttpReply, maxBytes: number, name: string): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  try {
    for await (const chunk of reply.body as AsyncIterable<Uint8Array>) {
      length += chunk.length;
      if (length > maxBytes) {
        reply.body.destroy();
        throw new Fault("STORE_PROTOCOL", `${name}: the reply is longer than ${maxBytes} bytes`);
      }
      chunks.push(chunk);
    }
  } catch (error) {
    const fault = Fault.from(error, `${name}: reading the reply`);
    throw fault.code === "INTERNAL" ? new Fault("NETWORK", fault.message, { cause: error }) : fault;
  }
  return Buffer.concat(chunks);
}

export async function readText(reply: HttpReply, maxBytes: number, name: string): Promise<string> {
  return new TextDecoder().decode(await readBytes(reply, maxBytes, name));
}

/** Closes the connection of a reply whose body must not be waited for. */
export function abandonBody(reply: HttpReply): void {
  // Without a listener, the error of the closed stream would end the process.
  reply.body.on("error", () => {}).destroy();
}

/** Frees the connection of a reply whose body nobody wants. */
export async function discardBody(reply: HttpReply): Promise<void> {
  await reply.body.dump().catch(() => {});
}

/** The fault that a refusing HTTP status stands for, where the protocol has nothing more precise to say. */
export function statusFault(status: number, headers: Readonly<Record<string, string>>, what: string): Fault {
  const retryAfterMs = parseRetryAfter(headers["retry-after"], headers["x-oss-qos-delay-time"]);
  return new Fault(codeOfStatus(status), `${what}: the server answered ${status}`, {
    details: { status },
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  });
}

function codeOfStatus(status: number): FaultCode {
  if (status === 401) return "CREDENTIALS_EXPIRED";
  if (status === 403) return "PERMISSION";
  if (status === 404) return "NOT_FOUND";
  if (status === 408 || status === 499) return "TIMEOUT";
  if (status === 413 || status === 507) return "NO_SPACE";
  if (status === 422) return "CHECKSUM_MISMATCH";
  if (status === 429 || status === 498) return "THROTTLED";
  if (status >= 500) return "STORE_UNAVAILABLE";
  return "STORE_REFUSED";
}

/** Whole milliseconds. Whatever a server says, nobody waits longer than a day for it. */
function parseRetryAfter(header: string | undefined, qosDelay: string | undefined): number | undefined {
  const asked = qosDelay === undefined ? undefined : Number(qosDelay);
  const ms = asked !== undefined && Number.isFinite(asked) ? asked : retryAfterMs(header);
  return ms === undefined ? undefined : Math.min(LONGEST_RETRY_AFTER_MS, Math.max(0, Math.ceil(ms)));
}

/** RFC 9110, section 10.2.3: seconds, or a date. */
function retryAfterMs(header: string | undefined): number | undefined {
  if (header === undefined) return undefined;
  const seconds = Number(header);
  if (Number.isFinite(seconds)) return seconds * 1000;
  const date = Date.parse(header);
  return Number.isNaN(date) ? undefined : date - Date.now();
}
