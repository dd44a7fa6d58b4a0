/** Every service of the endpoint. */
import type { ConnectRouter } from "@connectrpc/connect";
import type { Service } from "../../service/service.ts";
import { TaskService } from "./generated/diskferry/v1/task_service_pb.ts";
import { taskService } from "./task-service.ts";

export function connectRoutes(service: Service): (router: ConnectRouter) => void {
  return (router) => {
    router.service(TaskService, taskService(service));
  };
}
