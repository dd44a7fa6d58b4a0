/** Anything behind HTTP that serves byte ranges: plain URLs and the objects of every store. */
import { Fault } from "../../fault/fault.ts";
import { DEFAULT_RETRY, type RetryPolicy, withRetry } from "../../flow/retry.ts";
import {
  abandonBody,
  discardBody,
  type HttpReply,
  type HttpRequest,
  http,
  type Reach,
  statusFault,
} from "../../net/http.ts";
import type { Source, SourceRecipe } from "../source.ts";

/** An object behind HTTP, and how to ask for it. */
export interface HttpOrigin {
  /** For people: without secrets. */
  readonly name: string;
  readonly size: number;
  readonly version: string;
  /** Strong ETag, with its quotes as the server wrote them; sent as If-Match. */
  readonly etag?: string;
  /** Stands in for a strong ETag, as the server wrote it; replies with another one are of another version. */
  readonly lastModified?: string;
  readonly ca?: string;
  /** Absent: anywhere. */
  readonly reach?: Reach;
  /** A URL and headers that are good now. */
  sign(signal: AbortSignal): Promise<{ url: string; headers: Record<string, string> }>;
  /** Gets a new credential after a 401; absent: a refusal is for good. */
  refresh?(signal: AbortSignal): Promise<void>;
  /** "elsewhere": another thread holds the credentials, and is told at once when they have run out. */
  readonly renewal?: "elsewhere";
}

export function httpSource(origin: HttpOrigin): Source {
  const { name, size, version, etag, lastModified, ca, reach } = origin;
  return {
    name,
    size,
    version,
    async read(into, position, signal) {
      if (position < 0 || position + into.length > size) {
        throw new Fault(
          "IMAGE_TRUNCATED",
          `${name}: ends at ${size}, but ${into.length} bytes are needed at ${position}`,
        );
      }
      if (into.length === 0) return;
      await withRetry(
        name,
        // Only who holds the credentials can renew them.
        origin.refresh === undefined ? WITHOUT_RENEWAL : DEFAULT_RETRY,
        async () => {
          try {
            await readRange(origin, into, position, signal);
          } catch (error) {
            if (!(error instanceof Fault) || error.code !== "CREDENTIALS_EXPIRED") throw error;
            if (origin.refresh === undefined) throw unrenewable(origin, error);
            await origin.refresh(signal);
            throw error;
          }
        },
        signal,
      );
    },
    ...(origin.refresh === undefined ? {} : { refresh: (signal: AbortSignal) => renew(origin, signal) }),
    async recipe(signal): Promise<SourceRecipe> {
      const { url, headers } = await origin.sign(signal);
      return {
        kind: "http",
        name,
        url,
        headers,
        size,
        version,
        ...(etag === undefined ? {} : { etag }),
        ...(lastModified === undefined ? {} : { lastModified }),
        ...(ca === undefined ? {} : { ca }),
        ...(reach === undefined ? {} : { reach }),
      };
    },
    async check(signal) {
      // Every ranged reply is held against the pinned ETag and length, so one byte is enough to ask for.
      if (size > 0) await this.read(new Uint8Array(1), 0, signal);
    },
    async [Symbol.asyncDispose]() {},
  };
}

const WITHOUT_RENEWAL: RetryPolicy = {
  ...DEFAULT_RETRY,
  repeats: (fault) => fault.retryable && fault.code !== "CREDENTIALS_EXPIRED",
};

function unrenewable({ name, renewal }: HttpOrigin, cause: Fault): Fault {
  if (renewal === undefined) return new Fault("CREDENTIALS", cause.message, { cause });
  const details = { ...cause.details, reading: true };
  return new Fault("CREDENTIALS_EXPIRED", `${name}: the signature for reading has expired`, {
    details,
    cause,
  });
}

async function renew(origin: HttpOrigin, signal: AbortSignal): Promise<void> {
  await origin.refresh?.(signal);
}

async function readRange(
  origin: HttpOrigin,
  into: Uint8Array,
  position: number,
  signal: AbortSignal,
): Promise<void> {
  const { name, size, etag, ca, reach } = origin;
  const { url, headers } = await origin.sign(signal);
  const last = position + into.length - 1;
  const reply = await http(
    {
      method: "GET",
      url,
      name,
      headers: {
        ...headers,
        range: `bytes=${position}-${last}`,
        ...(etag === undefined ? {} : { "if-match": etag }),
      },
      ...(ca === undefined ? {} : { ca }),
      ...(reach === undefined ? {} : { reach }),
    },
    signal,
  );
  if (reply.status !== 206 && !(reply.status === 200 && position === 0 && into.length === size)) {
    await discardBody(reply);
    if (reply.status === 412 || reply.status === 416) throw changed(name);
    if (reply.status === 200) {
      throw new Fault("STORE_PROTOCOL", `${name}: the server does not serve byte ranges`);
    }
    throw statusFault(reply.status, reply.headers, name);
  }
  const fault = judge(reply, origin, position);
  if (fault !== undefined) {
    abandonBody(reply);
    throw fault;
  }
  await fill(reply, into, position, name);
}

/** Whether a reply is of the pinned version, and of the range that was asked for. */
function judge({ status, headers }: HttpReply, origin: HttpOrigin, position: number): Fault | undefined {
  const { name, size, etag, lastModified } = origin;
  const range = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(headers["content-range"] ?? "");
  const total = range?.[2] ?? "*";
  if (total !== "*" && Number(total) !== size) return changed(name);
  if (differs(etag, headers["etag"]) || differs(lastModified, headers["last-modified"])) return changed(name);
  if (status === 206 && Number(range?.[1]) !== position) {
    const given = headers["content-range"] ?? "no Content-Range";
    return new Fault("STORE_PROTOCOL", `${name}: asked for bytes from ${position}, the server sent ${given}`);
  }
  return undefined;
}

function differs(pinned: string | undefined, now: string | undefined): boolean {
  return pinned !== undefined && now !== undefined && now !== pinned;
}

async function fill(reply: HttpReply, into: Uint8Array, position: number, name: string): Promise<void> {
  let done = 0;
  try {
    for await (const chunk of reply.body as AsyncIterable<Uint8Array>) {
      if (done + chunk.length > into.length) {
        throw new Fault("STORE_PROTOCOL", `${name}: more bytes than asked for at ${position}`);
      }
      into.set(chunk, done);
      done += chunk.length;
    }
  } catch (error) {
    const fault = Fault.from(error, `${name}: reading at ${position}`);
    throw fault.code === "INTERNAL" ? new Fault("NETWORK", fault.message, { cause: error }) : fault;
  }
  if (done < into.length) {
    throw new Fault(
      "NETWORK",
      `${name}: the reply for ${into.length} bytes at ${position} ended after ${done}`,
    );
  }
}

/** Downloads are often served from elsewhere than they are linked. */
const MAX_REDIRECTS = 5;

/**
 * Opens an http(s) URL, pinned to its ETag, or to its modification time and size where it has none. Follows
 * redirects, but never from https to http. A user and password in the URL are sent as Basic authorization.
 * @throws Fault NOT_FOUND, PERMISSION, CREDENTIALS, STORE_PROTOCOL (no byte ranges), NETWORK, TIMEOUT.
 */
export function openHttp(address: string, signal: AbortSignal): Promise<Source> {
  return openHttpWithin({ reach: "anywhere", check() {} }, address, signal);
}

/** Which servers may be asked. */
export interface Bounds {
  readonly reach: Reach;
  /** Is told the URL, and each that it redirects to, before it is asked. @throws Fault if it must not be. */
  check(url: string): void;
}

/** The same within bounds. @throws Fault PERMISSION, too. */
export async function openHttpWithin(
  { reach, check }: Bounds,
  address: string,
  signal: AbortSignal,
): Promise<Source> {
  const name = withoutSecrets(address);
  let { url, headers } = withBasicAuthorization(address);
  for (let redirects = 0; ; redirects += 1) {
    check(url);
    const ask = { method: "GET", url, name, reach, headers: { ...headers, range: "bytes=0-0" } } as const;
    const reply = await lookAt(ask, signal);
    const location = reply.headers["location"];
    if (reply.status < 300 || reply.status > 399 || location === undefined) {
      return pinned(reply, { name, reach, sign: async () => ({ url, headers }) });
    }
    const next = new URL(location, url);
    if (redirects === MAX_REDIRECTS) throw new Fault("STORE_PROTOCOL", `${name}: redirects without end`);
    if (new URL(url).protocol === "https:" && next.protocol !== "https:") {
      throw new Fault(
        "STORE_REFUSED",
        `${name}: redirects from https to ${next.protocol}//${next.host}; name that URL if it is meant`,
      );
    }
    // What was for the first host is not for another.
    if (next.origin !== new URL(url).origin) headers = {};
    url = next.href;
  }
}

/** A host that has no address is named wrongly. */
const OPENING: RetryPolicy = {
  ...DEFAULT_RETRY,
  repeats: (fault) => fault.retryable && fault.details["errno"] !== "ENOTFOUND",
};

async function lookAt(ask: HttpRequest, signal: AbortSignal): Promise<HttpReply> {
  const { name } = ask;
  return withRetry(
    name,
    OPENING,
    async () => {
      const reply = await http(ask, signal);
      await discardBody(reply);
      if (reply.status === 401) {
        throw new Fault(
          "CREDENTIALS",
          `${name}: the server wants a user and password, and not these; write them into the URL`,
        );
      }
      if (reply.status >= 400 && reply.status !== 416) throw statusFault(reply.status, reply.headers, name);
      return reply;
    },
    signal,
  );
}

function pinned(
  { status, headers: given }: HttpReply,
  origin: Pick<HttpOrigin, "name" | "reach" | "sign">,
): Source {
  const { name } = origin;
  const total = /\/(\d+)$/.exec(given["content-range"] ?? "")?.[1] ?? (status === 416 ? "0" : undefined);
  if (total === undefined)
    throw new Fault("STORE_PROTOCOL", `${name}: the server does not serve byte ranges`);
  const etag = given["etag"]?.startsWith("W/") === false ? given["etag"] : undefined;
  const lastModified = etag === undefined ? given["last-modified"] : undefined;
  return httpSource({
    ...origin,
    size: Number(total),
    version: `http-${etag ?? lastModified ?? "unpinned"}-${total}`,
    ...(etag === undefined ? {} : { etag }),
    ...(lastModified === undefined ? {} : { lastModified }),
  });
}

function withBasicAuthorization(address: string): { url: string; headers: Record<string, string> } {
  const url = new URL(address);
  if (url.username === "") return { url: url.href, headers: {} };
  const pair = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
  url.username = "";
  url.password = "";
  return { url: url.href, headers: { authorization: `Basic ${Buffer.from(pair).toString("base64")}` } };
}

/** The URL without user, password, query and fragment: these may hold signatures. */
function withoutSecrets(url: string): string {
  const parsed = new URL(url);
  return `${parsed.protocol}//${parsed.host}${parsed.pathname}`;
}

function changed(name: string): Fault {
  return new Fault("SOURCE_CHANGED", `${name}: changed while it was read; start again`);
}
