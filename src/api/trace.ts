/** Which request this is, in our log and in the traces of others. */
import { type HttpRequest, headerOf } from "./call.ts";

const REQUEST_ID = /^[A-Za-z0-9._:-]{1,64}$/;

/** W3C Trace Context: version, trace id, parent id, flags. Later versions may say more behind a dash. */
const TRACEPARENT =
  /^(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-[\x21-\x7e]{0,64})?$/;

/** What the client calls it, if that can be written in a log. */
export function requestIdOf(request: HttpRequest, newId: () => string): string {
  const said = headerOf(request, "x-request-id");
  return said !== undefined && REQUEST_ID.test(said) ? said : newId();
}

/** A header that is not well-formed is as good as none. */
export function traceparentOf(request: HttpRequest): string | undefined {
  const said = headerOf(request, "traceparent");
  return said !== undefined && TRACEPARENT.test(said) ? said : undefined;
}
