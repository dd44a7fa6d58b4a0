/** Every service of the endpoint. */
import type { ConnectRouter } from "@connectrpc/connect";
import type { Service } from "../../service/service.ts";
import { type AdminOptions, adminService } from "./admin-service.ts";
import { catalogService } from "./catalog-service.ts";
import { AdminService } from "./generated/diskferry/v1/admin_service_pb.ts";
import { CatalogService } from "./generated/diskferry/v1/catalog_service_pb.ts";
import { RegionService } from "./generated/diskferry/v1/region_service_pb.ts";
import { TaskService } from "./generated/diskferry/v1/task_service_pb.ts";
import { Health } from "./generated/grpc/health/v1/health_pb.ts";
import { healthService } from "./health-service.ts";
import { regionService } from "./region-service.ts";
import { taskService } from "./task-service.ts";

const NAMES: ReadonlySet<string> = new Set(
  [TaskService, CatalogService, RegionService, AdminService].map(({ typeName }) => typeName),
);

export interface RoutesOptions extends AdminOptions {
  readonly service: Service;
  /** How often a health watch looks. */
  readonly healthMs: number;
}

export function connectRoutes({ service, healthMs, ...admin }: RoutesOptions) {
  return (router: ConnectRouter): void => {
    router.service(TaskService, taskService(service));
    router.service(CatalogService, catalogService(service, admin.now));
    router.service(RegionService, regionService(service));
    router.service(AdminService, adminService(service, admin));
    router.service(Health, healthService(admin.daemon, NAMES, healthMs));
  };
}
