/** How the calls on one bucket travel: signed, bounded in time and size, repeated where that may help. */
import { Fault } from "../../fault/fault.ts";
import { withDeadline } from "../../flow/deadline.ts";
import { DEFAULT_RETRY, withRetry } from "../../flow/retry.ts";
import { type HttpRequest, http, readText } from "../../net/http.ts";
import { addressOf, type OssAddress, type OssConfig } from "./config.ts";
import { ossFault } from "./error.ts";
import { encodeKey, encodeQuery, type OssSubject, presignQuery, signHeaders } from "./sign.ts";
import { MAX_XML_BYTES } from "./xml.ts";

const CALL_MS = 120_000;

/** What is asked of the bucket. */
export interface OssAsk {
  readonly method: HttpRequest["method"];
  /** Empty for the bucket itself. */
  readonly key: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  /** For messages, such as `completing the upload`. */
  readonly doing: string;
  readonly deadlineMs?: number;
}

interface OssReply {
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
}

export class OssTransport {
  readonly bucket: string;
  readonly #config: OssConfig;
  readonly #address: OssAddress;

  /** @throws Fault USAGE when endpoint or bucket cannot be. */
  constructor(config: OssConfig, bucket: string) {
    this.bucket = bucket;
    this.#config = config;
    this.#address = addressOf(config, bucket);
  }

  /** Extra authorities, in the form that requests take. */
  get trust(): { readonly ca?: string } {
    return this.#config.ca === undefined ? {} : { ca: this.#config.ca };
  }

  /** Header that bounds the bandwidth of one transfer, when the configuration asks for it. */
  get trafficLimit(): Record<string, string> {
    const limit = this.#config.trafficLimit;
    return limit === undefined ? {} : { "x-oss-traffic-limit": String(limit) };
  }

  nameOf(key: string): string {
    return key === "" ? `oss://${this.bucket}` : `oss://${this.bucket}/${key}`;
  }

  /** A request signed in its headers: good for 15 minutes. */
  signed(ask: Pick<OssAsk, "method" | "key" | "query" | "headers">): {
    url: string;
    headers: Record<string, string>;
  } {
    const subject = this.#subject(ask);
    const headers = signHeaders(subject, this.#config, new Date());
    return { url: this.#url(ask.key, subject.query), headers: this.#withHost(headers) };
  }

  /** A GET signed in its URL: good for `seconds`. */
  presignedGet(
    key: string,
    headers: Readonly<Record<string, string>>,
    seconds: number,
  ): { url: string; headers: Record<string, string> } {
    const subject = this.#subject({ method: "GET", key, headers });
    const query = presignQuery(subject, this.#config, new Date(), seconds);
    return { url: this.#url(key, query), headers: this.#withHost({ ...headers }) };
  }

  /** One call, repeated where that may help. @throws Fault with details.ossCode when OSS refuses. */
  async call(ask: OssAsk, signal: AbortSignal): Promise<OssReply> {
    const what = this.what(ask);
    const result = await withRetry(
      what,
      DEFAULT_RETRY,
      async () => {
        try {
          return await withDeadline(what, ask.deadlineMs ?? CALL_MS, signal, (inner) =>
            this.#once(ask, inner),
          );
        } catch (error) {
          // The same token stays expired however often it is shown.
          if (error instanceof Fault && error.code === "CREDENTIALS_EXPIRED") return error;
          throw error;
        }
      },
      signal,
    );
    if (result instanceof Fault) throw result;
    return result;
  }

  async #once(ask: OssAsk, signal: AbortSignal): Promise<OssReply> {
    const what = this.what(ask);
    const { url, headers } = this.signed(ask);
    const reply = await http(
      {
        method: ask.method,
        url,
        headers,
        name: what,
        idleMs: ask.deadlineMs ?? CALL_MS,
        ...this.trust,
        ...(ask.body === undefined ? {} : { body: ask.body }),
      },
      signal,
    );
    const text = await readText(reply, MAX_XML_BYTES, what);
    const failed = reply.status >= 300 || /^\s*(?:<\?xml[^>]*>\s*)?<Error[\s>]/.test(text);
    if (failed) throw ossFault({ status: reply.status, headers: reply.headers, text }, what);
    return { headers: reply.headers, text };
  }

  #subject(ask: Pick<OssAsk, "method" | "key" | "query" | "headers">): OssSubject {
    const { method, key, query = {}, headers = {} } = ask;
    return { method, bucket: this.bucket, key, query, headers };
  }

  #url(key: string, query: Readonly<Record<string, string>>): string {
    const search = encodeQuery(query);
    return `${this.#address.base}${encodeKey(key)}${search === "" ? "" : `?${search}`}`;
  }

  #withHost(headers: Record<string, string>): Record<string, string> {
    return this.#address.host === undefined ? headers : { ...headers, host: this.#address.host };
  }

  /** For messages. */
  what(ask: OssAsk): string {
    return `${this.nameOf(ask.key)}: ${ask.doing}`;
  }
}
