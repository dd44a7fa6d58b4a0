/**
 * THE ALIBABA DIALECT: actions of ECS as RPC in query or form, signed with access keys, answered in XML or JSON. In
 * order: read → signature → account → action, which makes a request of the use cases.
 */
import { Fault } from "../../fault/fault.ts";
import type { Caller } from "../../service/caller.ts";
import type { Service } from "../../service/service.ts";
import type { AccessKey } from "../access-key.ts";
import { answer, untilClosed } from "../answer.ts";
import { type Call, type HttpHandler, type HttpRequest, headerOf } from "../call.ts";
import type { DialectPorts } from "../dialect.ts";
import { ACTIONS } from "./actions.ts";
import type { Action } from "./asked.ts";
import { authenticator } from "./authenticate.ts";
import { CONTENT_TYPES, envelope, type Fields, type Format } from "./envelope.ts";
import { Parameters } from "./parameters.ts";
import { isRpc, type ReadRequest, readRequest } from "./read-request.ts";
import { type ErrorCodes, type Refusals, refused, told } from "./refused.ts";
import type { Pair } from "./signature.ts";

export interface AlibabaOptions {
  /** Which names errors have. */
  readonly errorCodes: ErrorCodes;
}

const NAME = "alibaba";
const VERSION = "2014-05-26";
const NO_REFUSALS: Refusals = { reasons: {} };

export function alibabaHandler(
  { service, accessKeys, nonces, bodyBytes, now, defect }: DialectPorts,
  { errorCodes }: AlibabaOptions,
): HttpHandler {
  const authenticate = authenticator(accessKeys, nonces, now);
  return {
    name: NAME,
    matches: isRpc,
    async handle(request, response, call) {
      const { requestId } = call;
      let format = formatBefore(request);
      let refusals = NO_REFUSALS;
      const host = headerOf(request, "host") ?? headerOf(request, ":authority") ?? "";
      const send = (
        status: number,
        root: string,
        fields: Fields,
        headers?: Readonly<Record<string, string>>,
      ) => answer(response, status, CONTENT_TYPES[format], envelope(format, root, fields), headers);
      try {
        const read = await readRequest(request, bodyBytes);
        format = formatIn(read.form) ?? format;
        const key = await authenticate(read);
        const parameters = new Parameters([...read.query, ...read.form]);
        const action = actionOf(read, parameters);
        call.operation = `${NAME} ${action.name}`;
        refusals = action.refusals;
        const caller = callerOf(key, call);
        call.caller = caller;
        await checkAccount(service, caller);
        checkActions(key, action);
        const signal = untilClosed(response);
        const asked = { caller, key, parameters, service, host: read.host, now: now(), signal };
        const said = await action.answer(asked);
        send(200, `${action.name}Response`, { RequestId: requestId, ...said });
      } catch (error) {
        const fault = Fault.from(error, "the request");
        const { status, code, message, retryAfter } = told(fault, refusals, errorCodes);
        call.outcome = code;
        if (status === 500) defect(error, call);
        const headers = retryAfter === undefined ? {} : { "x-acs-retry-after": String(retryAfter) };
        send(status, "Error", { RequestId: requestId, HostId: host, Code: code, Message: message }, headers);
      }
    },
  };
}

/** Before anything is believed of the request: whoever is refused is answered in his own words, too. */
function formatBefore(request: HttpRequest): Format {
  const said = /[?&]Format=(json|xml)(?=&|$)/i.exec(request.url ?? "")?.[1]?.toLowerCase();
  if (said === "json" || said === "xml") return said;
  return headerOf(request, "accept")?.includes("application/json") === true ? "json" : "xml";
}

function formatIn(form: readonly Pair[]): Format | undefined {
  const said = form.find(([name]) => name.toLowerCase() === "format")?.[1].toLowerCase();
  return said === "json" || said === "xml" ? said : undefined;
}

function actionOf(read: ReadRequest, parameters: Parameters): Action {
  // A signature of V1 covers no header.
  const headers = read.header("authorization") === undefined ? () => undefined : read.header;
  const [name, inHeader] = [parameters.text("Action") ?? headers("x-acs-action"), headers("x-acs-action")];
  if (name === undefined) throw refused("missing-parameter", "Action");
  const action = ACTIONS.get(name);
  if (action === undefined || (inHeader !== undefined && inHeader !== name)) throw refused("invalid-action");
  if ((parameters.text("Version") ?? headers("x-acs-version")) !== VERSION) throw refused("invalid-version");
  return action;
}

function callerOf({ name, project, role }: AccessKey, { requestId, traceparent }: Call): Caller {
  return { name, project, role, requestId, ...(traceparent === undefined ? {} : { traceparent }) };
}

/** CP-E17. */
async function checkAccount(service: Service, caller: Caller): Promise<void> {
  const { entry } = await service.projects.get(caller, caller.project);
  if (entry.aliUid === undefined) throw refused("CP-E17");
}

/** CP-18. */
function checkActions({ actions }: AccessKey, { name }: Action): void {
  if (actions === undefined || actions.includes(`ecs:${name}`)) return;
  throw refused(name === "CopyImage" ? "CP-E19" : "key-actions");
}
