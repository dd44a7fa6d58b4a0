/** The calls of the Object Storage API v1 that we need: each with a deadline, retries, and one token renewed for all. */
import { readFile } from "node:fs/promises";
import { Fault } from "../../fault/fault.ts";
import { withDeadline } from "../../flow/deadline.ts";
import { DEFAULT_RETRY, type RetryPolicy, withRetry } from "../../flow/retry.ts";
import { type HttpRequest, http, readText } from "../../net/http.ts";
import { type Grant, SwiftAuth } from "./auth.ts";
import type { SwiftConfig } from "./config.ts";
import { swiftFault } from "./error.ts";
import { parseInfo, type SwiftInfo, UNKNOWN_INFO } from "./info.ts";
import { swiftPath } from "./location.ts";
import { SingleFlight } from "./single-flight.ts";

export interface SwiftAsk {
  readonly method: HttpRequest["method"];
  /** After the storage URL: empty, or from a slash or question mark on, encoded. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** A function makes the body anew for each attempt. */
  readonly body?: string | (() => AsyncIterable<Uint8Array>);
  /** For messages: the place and what is asked of it, such as `swift://c/o: making the manifest`. */
  readonly what: string;
  /** Statuses that are answers; every other is a Fault. */
  readonly answers: readonly number[];
  /** Milliseconds for one attempt. */
  readonly deadlineMs?: number;
  /** Milliseconds without a byte from the server, where it may take long to say anything. */
  readonly idleMs?: number;
}

export interface SwiftReply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface ListedObject {
  readonly name: string;
  readonly bytes: number;
  /** MD5 in hex of a plain object. */
  readonly hash: string;
}

const DEADLINE_MS = 120_000;
/** For what may take long while bytes still move: idle servers are noticed much sooner. */
export const LONG_DEADLINE_MS = 1_800_000;
const REPLY_BYTES = 64 * 1024 * 1024;

type Login = Pick<SwiftAuth, "grant" | "refresh">;

export class SwiftClient {
  readonly ca: string | undefined;
  readonly #auth: Login;
  readonly #retry: RetryPolicy;
  readonly #refreshing = new SingleFlight<void>();

  constructor(auth: Login, ca: string | undefined, retry: RetryPolicy) {
    this.ca = ca;
    this.#auth = auth;
    this.#retry = retry;
  }

  async grant(signal: AbortSignal): Promise<Grant> {
    return await this.#auth.grant(signal);
  }

  /** The same login at another account; only of the same cluster, since the token goes there. */
  at(storageUrl: string): SwiftClient {
    const auth = this.#auth;
    const there: Login = {
      grant: async (signal) => ({ ...(await auth.grant(signal)), storageUrl }),
      refresh: (refused, signal) => auth.refresh(refused, signal),
    };
    return new SwiftClient(there, this.ca, this.#retry);
  }

  /**
   * After a 401 that somebody got with a token of unknown age: asks the store whether today's token is still good, and
   * logs in again only when it is not. Concurrent callers share one question.
   */
  async refresh(signal: AbortSignal): Promise<void> {
    await this.#refreshing.join(() => this.#probe(), signal);
  }

  async #probe(): Promise<void> {
    const what = "Swift: trying the token";
    await withDeadline(what, DEADLINE_MS, new AbortController().signal, (signal) =>
      this.ask({ method: "HEAD", path: "", what, answers: [200, 204, 403, 404] }, signal),
    );
  }

  /** @throws Fault as `swiftFault` and `http` say; CREDENTIALS when no token can be had. */
  async ask(ask: SwiftAsk, signal: AbortSignal): Promise<SwiftReply> {
    return await withRetry(
      ask.what,
      this.#retry,
      async () => {
        const grant = await this.#auth.grant(signal);
        const reply = await this.#once(grant, ask, signal);
        if (ask.answers.includes(reply.status)) return reply;
        if (reply.status === 401) await this.#auth.refresh(grant.token, signal);
        throw swiftFault(reply.status, reply.headers, reply.body, ask.what);
      },
      signal,
    );
  }

  async #once(grant: Grant, ask: SwiftAsk, signal: AbortSignal): Promise<SwiftReply> {
    return await withDeadline(ask.what, ask.deadlineMs ?? DEADLINE_MS, signal, async (limited) => {
      const reply = await http(
        {
          method: ask.method,
          url: grant.storageUrl + ask.path,
          headers: { ...ask.headers, "x-auth-token": grant.token },
          name: ask.what,
          ...(ask.body === undefined ? {} : { body: typeof ask.body === "string" ? ask.body : ask.body() }),
          ...(ask.idleMs === undefined ? {} : { idleMs: ask.idleMs }),
          ...(this.ca === undefined ? {} : { ca: this.ca }),
        },
        limited,
      );
      return {
        status: reply.status,
        headers: reply.headers,
        body: await readText(reply, REPLY_BYTES, ask.what),
      };
    });
  }

  /** The headers of an object, or undefined when it is not there. */
  async head(
    container: string,
    object: string | undefined,
    what: string,
    signal: AbortSignal,
  ): Promise<Readonly<Record<string, string>> | undefined> {
    const reply = await this.ask(
      { method: "HEAD", path: swiftPath(container, object), what, answers: [200, 204, 404] },
      signal,
    );
    return reply.status === 404 ? undefined : reply.headers;
  }

  /** Puts a manifest; a long check of the segments does not look like a dead server. Never repeated by itself. */
  async putManifest(
    path: string,
    headers: Readonly<Record<string, string>>,
    body: string,
    what: string,
    signal: AbortSignal,
  ): Promise<SwiftReply> {
    const grant = await this.#auth.grant(signal);
    const reply = await this.#once(
      grant,
      {
        method: "PUT",
        path: `${path}?multipart-manifest=put&heartbeat=on`,
        headers: { ...headers, accept: "application/json" },
        body,
        what,
        answers: [],
        deadlineMs: LONG_DEADLINE_MS,
      },
      signal,
    );
    if (reply.status === 401) await this.#auth.refresh(grant.token, signal);
    return reply;
  }

  /** Every object under a prefix, page by page. Listings lag behind: what was just put or deleted may be wrong. */
  async *list(
    container: string,
    prefix: string,
    what: string,
    signal: AbortSignal,
  ): AsyncGenerator<ListedObject> {
    for await (const entry of this.#pages(container, { prefix }, what, signal)) {
      if (typeof entry.name !== "string") continue;
      yield { name: entry.name, bytes: Number(entry.bytes), hash: String(entry.hash) };
    }
  }

  /** The names one level below a prefix, each with the slash at its end. */
  async *listFolders(
    container: string,
    prefix: string,
    what: string,
    signal: AbortSignal,
  ): AsyncGenerator<string> {
    for await (const entry of this.#pages(container, { prefix, delimiter: "/" }, what, signal)) {
      if (typeof entry.subdir === "string") yield entry.subdir;
    }
  }

  async *#pages(
    container: string,
    query: Readonly<Record<string, string>>,
    what: string,
    signal: AbortSignal,
  ): AsyncGenerator<ListingEntry> {
    for (let marker = ""; ; ) {
      const search = new URLSearchParams({ format: "json", ...query, marker });
      const reply = await this.ask(
        { method: "GET", path: `${swiftPath(container)}?${search}`, what, answers: [200, 204, 404] },
        signal,
      );
      const page = reply.status === 200 ? parseListing(reply.body, what) : [];
      yield* page;
      const last = page.at(-1);
      const next = last?.name ?? last?.subdir;
      // Pages may be short for reasons of the server's own: only an empty one is the end.
      if (next === undefined || next === marker) return;
      marker = next;
    }
  }

  /** Deletes objects; those that are not there count as deleted. `bulk`: how many at once, 0 for one by one. */
  async delete(
    container: string,
    names: readonly string[],
    bulk: number,
    what: string,
    signal: AbortSignal,
  ): Promise<void> {
    let singles = names;
    if (bulk > 0 && names.length > 1) {
      const batch = Math.min(bulk, 1000);
      const left: string[] = [];
      for (let i = 0; i < names.length; i += batch) {
        const part = names.slice(i, i + batch);
        if (!(await this.#bulkDelete(container, part, what, signal))) left.push(...part);
      }
      // One by one, each failure says which object and why.
      singles = left;
    }
    for (const name of singles) {
      await this.ask(
        { method: "DELETE", path: swiftPath(container, name), what, answers: [200, 202, 204, 404] },
        signal,
      );
    }
  }

  /** Whether all of them are gone. */
  async #bulkDelete(
    container: string,
    names: readonly string[],
    what: string,
    signal: AbortSignal,
  ): Promise<boolean> {
    const reply = await this.ask(
      {
        method: "POST",
        path: "?bulk-delete",
        headers: { "content-type": "text/plain", accept: "application/json" },
        body: names.map((name) => `${swiftPath(container, name)}\n`).join(""),
        what,
        answers: [200],
        deadlineMs: LONG_DEADLINE_MS,
      },
      signal,
    );
    const result = parseOutcome(reply.body);
    return result !== undefined && /^200/.test(result.status) && result.errors.length === 0;
  }

  /** Hidden or unreadable /info yields the least that is sure. */
  async info(signal: AbortSignal): Promise<SwiftInfo> {
    const { storageUrl } = await this.#auth.grant(signal);
    // `https://host/v1/AUTH_a` has it at `/info`, Ceph's `https://host/swift/v1` at `/swift/info`.
    const url = new URL(storageUrl);
    const root = url.pathname.replace(/\/v1(\.0)?(\/.*)?$/, "");
    const what = `Swift: GET ${url.origin}${root}/info`;
    return await withRetry(
      what,
      this.#retry,
      () =>
        withDeadline(what, DEADLINE_MS, signal, async (limited) => {
          const reply = await http(
            {
              method: "GET",
              url: `${url.origin}${root}/info`,
              name: what,
              ...(this.ca === undefined ? {} : { ca: this.ca }),
            },
            limited,
          );
          const body = await readText(reply, REPLY_BYTES, what);
          if (reply.status === 200) return parseInfo(body);
          if (reply.status >= 500 || reply.status === 429 || reply.status === 498) {
            throw swiftFault(reply.status, reply.headers, body, what);
          }
          return UNKNOWN_INFO;
        }),
      signal,
    );
  }
}

/** @throws Fault CREDENTIALS when the file of authorities cannot be read. */
export async function openSwiftClient(
  config: SwiftConfig,
  signal: AbortSignal,
  retry: RetryPolicy = DEFAULT_RETRY,
): Promise<SwiftClient> {
  let ca: string | undefined;
  if (config.caFile !== undefined) {
    try {
      ca = await readFile(config.caFile, { encoding: "utf8", signal });
    } catch (error) {
      signal.throwIfAborted();
      throw new Fault(
        "CREDENTIALS",
        Fault.from(error, `Swift: the authorities in ${config.caFile}`).message,
        {
          cause: error,
        },
      );
    }
  }
  return new SwiftClient(new SwiftAuth(config, ca), ca, retry);
}

interface ListingEntry {
  readonly name?: string;
  readonly subdir?: string;
  readonly bytes?: number;
  readonly hash?: string;
}

function parseListing(body: string, what: string): readonly ListingEntry[] {
  try {
    const page: unknown = JSON.parse(body);
    if (Array.isArray(page)) return page as readonly ListingEntry[];
  } catch {
    // Said below.
  }
  throw new Fault("STORE_PROTOCOL", `${what}: the listing is not JSON`);
}

/** The real outcome of a call that answers 200 or 202 first and tells at the end, after spaces to keep the line open. */
export interface Outcome {
  /** Such as `201 Created`. */
  readonly status: string;
  readonly body: string;
  readonly etag: string | undefined;
  /** Name and reason. */
  readonly errors: readonly (readonly [string, string])[];
}

export function parseOutcome(body: string): Outcome | undefined {
  try {
    const answer = JSON.parse(body) as Readonly<Record<string, unknown>>;
    const status = answer["Response Status"];
    const errors = answer["Errors"];
    const etag = answer["Etag"];
    return {
      status: typeof status === "string" ? status : "",
      body: typeof answer["Response Body"] === "string" ? answer["Response Body"] : "",
      etag: typeof etag === "string" ? etag : undefined,
      errors: Array.isArray(errors) ? errors.map((error) => [String(error?.[0]), String(error?.[1])]) : [],
    };
  } catch {
    return undefined;
  }
}
