/** The copying of one object inside a Swift. */
import { Fault } from "../../fault/fault.ts";
import { withGrace } from "../../flow/deadline.ts";
import type { CopyPart } from "../store.ts";
import { LONG_DEADLINE_MS, type SwiftAsk, type SwiftClient } from "./client.ts";
import { type SwiftLocation, swiftName, swiftPath } from "./location.ts";

/** How long the answer to a copy is waited for once nobody wants it any more. */
const GRACE_MS = 60_000;

/**
 * Has the store copy a whole object; returns the ETag of the copy. Settles when the store has answered: it goes on with
 * a copy when nobody listens, and that would land behind a clean-up.
 * @throws Fault UNSUPPORTED_FEATURE when it does not copy; SOURCE_CHANGED when it has other content by now; PERMISSION.
 */
export async function copyObject(
  client: SwiftClient,
  from: CopyPart["from"],
  to: SwiftLocation,
  what: string,
  signal: AbortSignal,
): Promise<string> {
  signal.throwIfAborted();
  const ask: SwiftAsk = {
    method: "PUT",
    path: swiftPath(to.container, to.object),
    headers: {
      "content-length": "0",
      "content-type": "application/octet-stream",
      "x-copy-from": swiftPath(from.container, from.object),
      ...(from.account === undefined ? {} : { "x-copy-from-account": from.account }),
      // An expiry date of the original is not one of the copy.
      "x-fresh-metadata": "true",
    },
    what,
    answers: [200, 201, 404, 405, 422, 501],
    // Nothing is heard until the last byte is copied.
    deadlineMs: LONG_DEADLINE_MS,
    idleMs: LONG_DEADLINE_MS,
  };
  const reply = await withGrace(GRACE_MS, signal, (late) => client.ask(ask, late));
  const name = swiftName(from);
  switch (reply.status) {
    case 404:
    case 422:
      throw new Fault("SOURCE_CHANGED", `${name}: changed while it was copied; start again`);
    case 405:
    case 501:
      throw new Fault("UNSUPPORTED_FEATURE", `${what}: the store does not copy objects (${reply.status})`);
  }
  const etag = (reply.headers["etag"] ?? (await etagOf(client, to, what, signal))).replaceAll('"', "");
  if (etag === from.etag) return etag;
  // A proxy without the middleware that copies takes the request for one to put an empty object.
  if (reply.headers["x-copied-from"] === undefined) {
    throw new Fault("UNSUPPORTED_FEATURE", `${what}: the store takes a copy for an upload of nothing`);
  }
  throw new Fault("SOURCE_CHANGED", `${name}: changed while it was copied; start again`);
}

async function etagOf(
  client: SwiftClient,
  to: SwiftLocation,
  what: string,
  signal: AbortSignal,
): Promise<string> {
  return (await client.head(to.container, to.object, what, signal))?.["etag"] ?? "";
}
