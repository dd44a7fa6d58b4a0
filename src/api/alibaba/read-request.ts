/** A request as it came: parameters of query and form, in the order in which they came, and the body that they stand in. */
import { readBody } from "../body.ts";
import { type HttpRequest, headerOf, pathOf } from "../call.ts";
import { refused } from "./refused.ts";
import { type Pair, sha256 } from "./signature.ts";

/** Before they are sorted for a signature that may turn out to be wrong. */
const MOST_PARAMETERS = 1000;

export interface ReadRequest {
  readonly method: string;
  readonly path: string;
  readonly host: string;
  readonly query: readonly Pair[];
  readonly form: readonly Pair[];
  /** SHA-256 of the body, in hex. */
  readonly bodyHash: string;
  header(name: string): string | undefined;
}

/** @throws a refusal of what cannot be read. */
export async function readRequest(request: HttpRequest, bodyBytes: number): Promise<ReadRequest> {
  const method = request.method ?? "";
  if (method !== "GET" && method !== "POST") throw refused("unsupported-method");
  const host = headerOf(request, "host") ?? headerOf(request, ":authority") ?? "";
  const body = method === "POST" ? await readBody(request, bodyBytes) : Buffer.alloc(0);
  const isForm = /^application\/x-www-form-urlencoded\b/i.test(headerOf(request, "content-type") ?? "");
  return {
    method,
    path: pathOf(request),
    host,
    query: pairsOf((request.url ?? "").split("?").slice(1).join("?")),
    form: isForm ? pairsOf(body.toString()) : [],
    bodyHash: sha256(body),
    header: (name) => (name === "host" ? host : headerOf(request, name)),
  };
}

/** What this dialect is asked: its own paths are all `/`, and so are those of others. */
export function isRpc(request: HttpRequest): boolean {
  if (pathOf(request) !== "/") return false;
  if (headerOf(request, "x-acs-action") !== undefined) return true;
  if (/[?&](Action|AccessKeyId|Signature)=/i.test(request.url ?? "")) return true;
  return (
    request.method === "POST" &&
    /^application\/x-www-form-urlencoded\b/i.test(headerOf(request, "content-type") ?? "")
  );
}

/** @throws a refusal of what is not well encoded, or too much. */
function pairsOf(text: string): readonly Pair[] {
  const parts = text.split("&", MOST_PARAMETERS + 1).filter((part) => part !== "");
  if (parts.length > MOST_PARAMETERS) throw refused("too-large");
  try {
    return parts.map((part) => {
      const [name = "", ...value] = part.split("=");
      return [decoded(name), decoded(value.join("="))];
    });
  } catch {
    throw refused("signature-incomplete");
  }
}

/** A plus is a space in forms, and in what some clients make of a query. */
function decoded(text: string): string {
  return decodeURIComponent(text.replaceAll("+", " "));
}
