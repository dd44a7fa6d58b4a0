/** Fujitsu's image export and import: `/v1/imageexport`, `/v1/imageimport`, and the same below `/v2`. */
import { untilClosed } from "../answer.ts";
import { jsonOf, readBody } from "../body.ts";
import { type Call, type HttpHandler, type HttpRequest, pathOf } from "../call.ts";
import { type DialectPorts, type Reply, send } from "../dialect.ts";
import { queryOf, type Route, routed } from "../route.ts";
import type { Asked } from "./asked.ts";
import { EXPORT, errorOf, errorRow, IMPORT, type Mapping, misfit, OF_EXPORT, OF_IMPORT } from "./errors.ts";
import { cancelExport, exportStatus, listExports, requestExport } from "./exports.ts";
import { importStatus, listImports, requestImport } from "./imports.ts";

interface Answering {
  readonly run: (asked: Asked) => Promise<Reply>;
  /** What its refusals are called. */
  readonly errors: Mapping;
}

const ROUTES: readonly Route<Answering>[] = [
  {
    method: "POST",
    path: /^\/v[12]\/imageexport$/,
    operation: "fujitsu.RequestExport",
    answer: { run: requestExport, errors: EXPORT },
  },
  {
    method: "GET",
    path: /^\/v[12]\/imageexport$/,
    operation: "fujitsu.ListExports",
    answer: { run: listExports, errors: {} },
  },
  {
    method: "GET",
    path: /^\/v[12]\/imageexport\/(?<id>[^/]+)\/status$/,
    operation: "fujitsu.ExportStatus",
    answer: { run: exportStatus, errors: OF_EXPORT },
  },
  {
    method: "POST",
    path: /^\/v[12]\/imageexport\/(?<id>[^/]+)\/cancel$/,
    operation: "fujitsu.CancelExport",
    answer: { run: cancelExport, errors: OF_EXPORT },
  },
  {
    method: "POST",
    path: /^\/v[12]\/imageimport$/,
    operation: "fujitsu.RequestImport",
    answer: { run: requestImport, errors: IMPORT },
  },
  {
    method: "GET",
    path: /^\/v[12]\/imageimport$/,
    operation: "fujitsu.ListImports",
    answer: { run: listImports, errors: {} },
  },
  {
    method: "GET",
    path: /^\/v[12]\/imageimport\/(?<id>[^/]+)\/status$/,
    operation: "fujitsu.ImportStatus",
    answer: { run: importStatus, errors: OF_IMPORT },
  },
];

export function fujitsuHandler(ports: DialectPorts): HttpHandler {
  const { service, bodyBytes, defect } = ports;
  return {
    name: "fujitsu",
    matches: (request) => /^\/v[12]\/image(ex|im)port(\/|$)/.test(pathOf(request)),
    async handle(request, response, call) {
      let errors: Mapping = {};
      try {
        const { route, parameters } = routeOf(request);
        call.operation = route.operation;
        errors = route.answer.errors;
        if (call.caller === undefined) throw misfit("tokenInvalid");
        const reply = await route.answer.run({
          caller: call.caller,
          service,
          path: pathOf(request),
          parameters,
          query: queryOf(request),
          body: () => fieldsOf(request, bodyBytes),
          signal: untilClosed(response),
        });
        send(response, reply);
      } catch (error) {
        if (response.headersSent) throw error;
        send(response, refused(error, errors, call, defect));
      }
    },
  };
}

function routeOf(request: HttpRequest) {
  const found = routed(ROUTES, request);
  if (found === undefined) throw misfit("pathUnknown");
  if (found === "method") throw misfit("methodUnknown");
  return found;
}

async function fieldsOf(request: HttpRequest, most: number): Promise<Readonly<Record<string, unknown>>> {
  const said = jsonOf(await readBody(request, most));
  if (typeof said !== "object" || said === null || Array.isArray(said)) throw misfit("bodyMalformed");
  return said as Readonly<Record<string, unknown>>;
}

function refused(error: unknown, errors: Mapping, call: Call, defect: DialectPorts["defect"]): Reply {
  const name = errorOf(error, errors);
  if (name === "internal") defect(error, call);
  const { status, code, message } = errorRow(name);
  call.outcome = code;
  return { status, body: { error_code: code, error_message: message } };
}
