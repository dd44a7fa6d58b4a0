/** DescribeTasks: newest first. */
import type { TaskListRequest } from "../../service/request.ts";
import type { Action } from "./asked.ts";
import { listed, numbered, pageOf } from "./pages.ts";
import type { Parameters } from "./parameters.ts";
import { refused } from "./refused.ts";
import { kindOf, momentOf, statesOf, taskFields } from "./task-words.ts";
import { given, required } from "./words.ts";

export const describeTasks: Action = {
  name: "DescribeTasks",
  refusals: { reasons: {} },
  async answer({ service, caller, parameters }) {
    const region = required(parameters, "RegionId");
    const page = pageOf(parameters);
    const wanted = wantedOf(parameters);
    await service.regions.get(caller, region);
    const found =
      wanted === "nothing"
        ? { tasks: [], total: 0 }
        : await service.listTasks(caller, {
            ...wanted,
            region,
            page: { by: "start", start: page.start },
            limit: page.size,
          });
    return {
      RegionId: region,
      PageNumber: page.number,
      PageSize: page.size,
      TotalCount: found.total,
      TaskSet: { Task: found.tasks.map(taskFields) },
    };
  },
};

function wantedOf(parameters: Parameters): TaskListRequest | "nothing" {
  const action = parameters.text("TaskAction");
  const kind = action === undefined ? undefined : kindOf(action);
  // An action that leaves no tasks here: there are none of it.
  if (action !== undefined && kind === undefined) return "nothing";
  // A group is what one RunInstances and its like has made.
  if (parameters.text("TaskGroupId") !== undefined) return "nothing";
  const status = parameters.text("TaskStatus");
  return {
    ...given("kinds", kind === undefined ? undefined : [kind]),
    ...given("states", status === undefined ? undefined : statesOf(status)),
    ...given("ids", listed(parameters, "TaskIds")),
    ...given("images", numbered(parameters, "ResourceIds")),
    ...given("acceptedFrom", momentSaid(parameters, "StartTime")),
    ...given("acceptedTo", momentSaid(parameters, "EndTime")),
  };
}

function momentSaid(parameters: Parameters, name: string): number | undefined {
  const said = parameters.text(name);
  if (said === undefined) return undefined;
  const moment = momentOf(said);
  if (moment === undefined) throw refused("invalid-parameter", name);
  return moment;
}
