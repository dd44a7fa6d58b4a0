/** Plain answers, and refusals that look the same as those of Connect. */
import type { ConnectError } from "@connectrpc/connect";
import { codeToHttpStatus, errorToJson } from "@connectrpc/connect/protocol-connect";
import type { HttpResponse } from "./call.ts";
import { detailed } from "./connect/connect-error.ts";

export function answer(
  response: HttpResponse,
  status: number,
  contentType: string,
  text: string,
  headers: Readonly<Record<string, string>> = {},
): void {
  const length = String(Buffer.byteLength(text));
  writeHead(response, status, { ...headers, "content-type": contentType, "content-length": length });
  response.end(text);
}

/** @param status where HTTP is more precise than the code */
export function refuse(
  response: HttpResponse,
  error: ConnectError,
  status = codeToHttpStatus(error.code),
): void {
  const text = `${JSON.stringify(errorToJson(detailed(error), undefined))}\n`;
  answer(response, status, "application/json", text, Object.fromEntries(error.metadata));
}

/** HTTP/1.1 and HTTP/2 type their heads differently, and mean the same. */
export function writeHead(
  response: HttpResponse,
  status: number,
  headers: Readonly<Record<string, string>>,
): void {
  response.statusCode = status;
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
}

/** Ends the exchange at once, whatever has been sent of it. */
export function cut(response: HttpResponse): void {
  if ("stream" in response) response.stream.close(NGHTTP2_CANCEL);
  else response.destroy();
}

/** RFC 9113, section 7. */
const NGHTTP2_CANCEL = 8;

/** Fires when nobody waits for the answer any more, or all of it is sent. */
export function untilClosed(response: HttpResponse): AbortSignal {
  const left = new AbortController();
  void closed(response).then(() => left.abort());
  return left.signal;
}

/** Resolves when nothing more can be sent. */
export function closed(response: HttpResponse): Promise<void> {
  const stream = "stream" in response ? response.stream : response;
  if (stream.closed) return Promise.resolve();
  return new Promise((resolve) => stream.once("close", () => resolve()));
}
