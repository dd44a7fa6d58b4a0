/** Huawei's EVS and what Cinder's clients ask beside it: volumes, their export as images, images and jobs. */
import type { Caller } from "../../service/caller.ts";
import type { AccessKey } from "../access-key.ts";
import { untilClosed } from "../answer.ts";
import { readBody } from "../body.ts";
import { type Call, type HttpHandler, type HttpRequest, headerOf, pathOf } from "../call.ts";
import { type DialectPorts, type Reply, send } from "../dialect.ts";
import { authorityOf, queryOf, type Route, routed } from "../route.ts";
import type { Asked, Seen } from "./asked.ts";
import { errorOf, errorRow, misfit } from "./errors.ts";
import { listImages, showImage } from "./images.ts";
import { showJob } from "./jobs.ts";
import { isSigned, signedBy } from "./signature.ts";
import { listVersions, showVersion } from "./versions.ts";
import { listVolumes, showVolume, uploadVolume } from "./volumes.ts";

/** Clients look for versions before they log in. */
type Answering =
  | { readonly access: "open"; readonly run: (seen: Seen) => Reply }
  | { readonly access: "callers"; readonly run: (asked: Asked) => Promise<Reply> };

const open = (run: (seen: Seen) => Reply): Answering => ({ access: "open", run });
const callers = (run: (asked: Asked) => Promise<Reply>): Answering => ({ access: "callers", run });

const ROUTES: readonly Route<Answering>[] = [
  { method: "GET", path: /^\/$/, operation: "huawei.ListVersions", answer: open(listVersions) },
  {
    method: "GET",
    path: /^\/(?<version>v[23])\/?$/,
    operation: "huawei.ShowVersion",
    answer: open(showVersion),
  },
  {
    method: "POST",
    path: /^\/v[23]\/(?<project>[^/]+)\/volumes\/(?<volume>[^/]+)\/action$/,
    operation: "huawei.UploadVolume",
    answer: callers(uploadVolume),
  },
  {
    method: "GET",
    path: /^\/v[23]\/(?<project>[^/]+)\/volumes(\/detail)?$/,
    operation: "huawei.ListVolumes",
    answer: callers(listVolumes),
  },
  {
    method: "GET",
    path: /^\/v[23]\/(?<project>[^/]+)\/volumes\/(?<volume>[^/]+)$/,
    operation: "huawei.ShowVolume",
    answer: callers(showVolume),
  },
  {
    method: "GET",
    path: /^\/v2\/(images|cloudimages)$/,
    operation: "huawei.ListImages",
    answer: callers(listImages),
  },
  {
    method: "GET",
    path: /^\/v2\/images\/(?<image>[^/]+)$/,
    operation: "huawei.ShowImage",
    answer: callers(showImage),
  },
  {
    method: "GET",
    path: /^\/v1\/cloudimages\/job\/(?<job>[^/]+)$/,
    operation: "huawei.ShowJob",
    answer: callers(showJob),
  },
  {
    method: "GET",
    path: /^\/v1\/(?<project>[^/]+)\/jobs\/(?<job>[^/]+)$/,
    operation: "huawei.ShowJob",
    answer: callers(showJob),
  },
];

/** Another dialect is asked at `/`, too, with an action in the query. */
const MATCHING =
  /^\/(v[23]\/?|v[23]\/[^/]+\/volumes(\/.*)?|v2\/(images|cloudimages)(\/.*)?|v1\/cloudimages\/.*|v1\/[^/]+\/jobs\/.*)$/;

export function huaweiHandler(ports: DialectPorts): HttpHandler {
  return {
    name: "huawei",
    matches: (request) => MATCHING.test(pathOf(request)) || (request.method === "GET" && request.url === "/"),
    async handle(request, response, call) {
      let reply: Reply;
      try {
        reply = await answered(request, call, untilClosed(response), ports);
      } catch (error) {
        if (response.headersSent) throw error;
        reply = refused(error, call, ports.defect);
      }
      send(response, { ...reply, headers: { ...reply.headers, ...microversion(request) } });
    },
  };
}

async function answered(
  request: HttpRequest,
  call: Call,
  signal: AbortSignal,
  ports: DialectPorts,
): Promise<Reply> {
  const found = routed(ROUTES, request);
  if (found === undefined) throw misfit("urlMalformed");
  if (found === "method") throw misfit("methodUnknown");
  const { route, parameters } = found;
  call.operation = route.operation;
  const origin = `${"encrypted" in request.socket ? "https" : "http"}://${authorityOf(request) ?? ""}`;
  const seen: Seen = { parameters, query: queryOf(request), origin };
  if (route.answer.access === "open") return route.answer.run(seen);
  const { caller, key, body } = await identified(request, call, ports);
  if (key !== undefined) checkActions(key, route.operation);
  const { project } = parameters;
  if (project !== undefined && project !== caller.project) throw misfit("projectInvalid");
  return route.answer.run({
    ...seen,
    caller,
    ...(key === undefined ? {} : { key }),
    service: ports.service,
    body,
    signal,
  });
}

/** `huawei.UploadVolume` is `evs:UploadVolume` among the actions of a key. */
function checkActions({ actions }: AccessKey, operation: string): void {
  if (actions === undefined || actions.includes(operation.replace(/^huawei\./, "evs:"))) return;
  throw misfit("keyActions");
}

interface Identified {
  readonly caller: Caller;
  /** Absent: a token has said who asks. */
  readonly key?: AccessKey;
  readonly body: Uint8Array;
}

/** Who asks, and the body, which a signature is of, too. */
async function identified(
  request: HttpRequest,
  call: Call,
  { accessKeys, bodyBytes, now }: DialectPorts,
): Promise<Identified> {
  const signed = isSigned(request);
  if (!signed && call.caller === undefined) {
    throw misfit(headerOf(request, "x-auth-token") === undefined ? "unauthenticated" : "tokenInvalid");
  }
  const body = await readBody(request, bodyBytes);
  if (signed) {
    const key = signedBy(request, body, accessKeys, now());
    const { name, project, role } = key;
    const { requestId, traceparent } = call;
    call.caller = { name, project, role, requestId, ...(traceparent === undefined ? {} : { traceparent }) };
    return { caller: call.caller, key, body };
  }
  if (call.caller === undefined) throw misfit("unauthenticated");
  return { caller: call.caller, body };
}

/** Cinder says which of its versions it has answered in: the one that was asked for. */
function microversion(request: HttpRequest): Readonly<Record<string, string>> {
  const asked = headerOf(request, "openstack-api-version");
  if (asked === undefined || !/^volume 3\.\d{1,3}$/.test(asked)) return {};
  return { "openstack-api-version": asked, vary: "OpenStack-API-Version" };
}

function refused(error: unknown, call: Call, defect: DialectPorts["defect"]): Reply {
  const name = errorOf(error);
  if (name === "internal") defect(error, call);
  const { status, code, message } = errorRow(name);
  call.outcome = code;
  return { status, body: { error: { code, message } } };
}
