/** The endpoint as the commands call it. */
import { Code, ConnectError, createClient, type Interceptor } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { CatalogService } from "../api/connect/generated/diskferry/v1/catalog_service_pb.ts";
import { ErrorInfoSchema } from "../api/connect/generated/diskferry/v1/error_pb.ts";
import { RegionService } from "../api/connect/generated/diskferry/v1/region_service_pb.ts";
import { TaskService } from "../api/connect/generated/diskferry/v1/task_service_pb.ts";
import type { Access } from "../config/access.ts";
import { FAULT_CODES, Fault, type FaultCode } from "../fault/fault.ts";

/** For an answer; watching takes as long as it takes. */
const ANSWER_MS = 60_000;

export type Client = ReturnType<typeof openClient>;

export function openClient({ server, token, ca, certificate, key }: Access) {
  const bearing: Interceptor = (next) => (request) => {
    if (token !== undefined) request.header.set("authorization", `Bearer ${token}`);
    return next(request);
  };
  const transport = createConnectTransport({
    baseUrl: server,
    httpVersion: "1.1",
    interceptors: [bearing],
    nodeOptions: {
      ...(ca === undefined ? {} : { ca }),
      ...(certificate === undefined ? {} : { cert: certificate }),
      ...(key === undefined ? {} : { key }),
    },
  });
  return {
    server,
    tasks: createClient(TaskService, transport),
    catalog: createClient(CatalogService, transport),
    regions: createClient(RegionService, transport),
    /** For calls that are answered once. */
    once: (signal: AbortSignal) => ({ signal, timeoutMs: ANSWER_MS }),
  };
}

/** What the endpoint refuses has our own codes; all else is about the way there. */
export function faultOf(error: unknown, { server }: Pick<Client, "server">): Fault {
  if (!(error instanceof ConnectError)) return Fault.from(error, server);
  const { rawMessage, code } = error;
  const [info] = error.findDetails(ErrorInfoSchema);
  if (info !== undefined && isFaultCode(info.code)) {
    const details = { ...info.metadata, ...(info.reason === "" ? {} : { reason: info.reason }) };
    return new Fault(info.code, rawMessage, { details, cause: error });
  }
  const distrust = distrustOf(error.cause);
  if (distrust !== undefined) {
    const advice = `${server}: its certificate is not trusted (${distrust}); --ca names its authority`;
    return new Fault("CREDENTIALS", advice, { cause: error });
  }
  switch (code) {
    case Code.Unavailable:
    case Code.Aborted:
      return new Fault("NETWORK", `${server}: ${rawMessage}; is the daemon running there?`, { cause: error });
    case Code.Unauthenticated:
      return new Fault("CREDENTIALS", `${server}: ${rawMessage}`, { cause: error });
    case Code.DeadlineExceeded:
      return new Fault("TIMEOUT", `${server}: no answer in time`, { cause: error });
    case Code.Canceled:
      return new Fault("CANCELED", `${server}: canceled`, { cause: error });
    default:
      return new Fault("STORE_PROTOCOL", `${server}: is no diskferry daemon, it seems: ${rawMessage}`, {
        cause: error,
      });
  }
}

/** What OpenSSL has against the server's certificate, in its words. */
function distrustOf(cause: unknown): string | undefined {
  if (!(cause instanceof Error)) return undefined;
  const { code = "" } = cause as NodeJS.ErrnoException;
  return /CERT|_SIGNATURE$|_ALTNAME_/.test(code) ? code : distrustOf(cause.cause);
}

function isFaultCode(code: string): code is FaultCode {
  return Object.hasOwn(FAULT_CODES, code);
}
