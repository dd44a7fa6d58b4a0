/** Routes of dialects that are asked by method and path. */
import { type HttpRequest, headerOf, pathOf } from "./call.ts";

export interface Route<Answering> {
  readonly method: "GET" | "POST";
  /** Whole path; named groups are its parameters, still encoded. */
  readonly path: RegExp;
  /** For log and metrics. */
  readonly operation: string;
  readonly answer: Answering;
}

export interface Routed<Answering> {
  readonly route: Route<Answering>;
  readonly parameters: Readonly<Record<string, string>>;
}

/** The route of a request; `method`: there is something at its path, but it is asked otherwise. */
export function routed<Answering>(
  routes: readonly Route<Answering>[],
  request: HttpRequest,
): Routed<Answering> | "method" | undefined {
  const path = pathOf(request);
  let isThere = false;
  for (const route of routes) {
    const parameters = parametersOf(route.path.exec(path));
    if (parameters === undefined) continue;
    if (route.method === request.method) return { route, parameters };
    isThere = true;
  }
  return isThere ? "method" : undefined;
}

/** A path that is not well encoded names nothing. */
function parametersOf(match: RegExpExecArray | null): Readonly<Record<string, string>> | undefined {
  if (match === null) return undefined;
  try {
    return Object.fromEntries(
      Object.entries(match.groups ?? {}).map(([name, value = ""]) => [name, decodeURIComponent(value)]),
    );
  } catch {
    return undefined;
  }
}

/** Which host is asked, as the client names it; HTTP/2 has a header of its own for that. */
export function authorityOf(request: HttpRequest): string | undefined {
  return headerOf(request, "host") ?? headerOf(request, ":authority");
}

export function queryOf(request: HttpRequest): URLSearchParams {
  return new URLSearchParams((request.url ?? "").split("?").slice(1).join("?"));
}
