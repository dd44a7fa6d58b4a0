/** What the dialects of other clouds are given, and how those that answer in JSON read and reply. */
import type { SeenNonce } from "../record/nonce.ts";
import type { Service } from "../service/service.ts";
import type { AccessKeys } from "./access-key.ts";
import { answer, writeHead } from "./answer.ts";
import type { Call, HttpResponse } from "./call.ts";

export interface DialectPorts {
  readonly service: Service;
  readonly accessKeys: AccessKeys;
  readonly nonces: NonceBook;
  /** Bytes of one body. */
  readonly bodyBytes: number;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Notes what is our own fault. */
  defect(error: unknown, call: Call): void;
}

/** Which signed requests have come, so that none counts twice, whatever becomes of the daemon in between. */
export interface NonceBook {
  /** Durable when it resolves. */
  keepNonce(seen: SeenNonce, forgetBefore: number): Promise<void>;
  nonces(since: number): Promise<readonly SeenNonce[]>;
}

export interface Reply {
  readonly status: number;
  /** Absent: an answer without a body. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

export function send(response: HttpResponse, { status, body, headers = {} }: Reply): void {
  if (body !== undefined) {
    answer(response, status, "application/json", `${JSON.stringify(body)}\n`, headers);
    return;
  }
  writeHead(response, status, { ...headers, "content-length": "0" });
  response.end();
}
