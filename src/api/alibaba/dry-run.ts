/** D10: a dry run does all that the request would, up to accepting it, and says so in an error. */
import type { Accepted } from "../../record/record.ts";
import type { TaskRequest } from "../../service/request.ts";
import type { Asked } from "./asked.ts";
import { refused } from "./refused.ts";

export async function unlessDry<Request extends TaskRequest>(
  { service, caller, parameters, signal }: Asked,
  request: Request,
  ask: (request: Request) => Promise<Accepted>,
): Promise<Accepted> {
  if (parameters.flag("DryRun") !== true) return ask(request);
  await service.rehearse(caller, request, signal);
  throw refused("dry-run");
}
