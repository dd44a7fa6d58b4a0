/** `/healthz`, `/readyz` and `/metrics`: for those who look after the daemon. */
import { Code, ConnectError } from "@connectrpc/connect";
import type { Metrics } from "../telemetry/metrics.ts";
import { answer } from "./answer.ts";
import { type HttpHandler, pathOf } from "./call.ts";
import { unauthenticated } from "./connect/connect-error.ts";
import type { Daemon } from "./daemon.ts";

export interface MetricsOptions extends Pick<Metrics, "contentType" | "read" | "answered"> {
  /** Who may read them. */
  readonly access: "open" | "callers";
}

export function probeHandler(daemon: Daemon, metrics: MetricsOptions): HttpHandler {
  const paths: readonly string[] = ["/healthz", "/readyz", "/metrics"];
  const text = "text/plain; charset=utf-8";
  return {
    name: "probes",
    matches: (request) => paths.includes(pathOf(request)),
    async handle(request, response, { caller }) {
      const path = pathOf(request);
      if (request.method !== "GET" && request.method !== "HEAD") {
        throw new ConnectError(`${path} is read with GET`, Code.Unimplemented);
      }
      if (path === "/metrics") {
        if (metrics.access === "callers" && caller === undefined) throw unauthenticated();
        answer(response, 200, metrics.contentType, await metrics.read());
      } else {
        // Alive is whoever answers; ready is whoever can work.
        const unready = path === "/healthz" ? undefined : await daemon.unready();
        answer(response, unready === undefined ? 200 : 503, text, `${unready ?? "ok"}\n`);
      }
    },
  };
}
