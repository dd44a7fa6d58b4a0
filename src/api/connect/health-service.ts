/** The health protocol of gRPC. */
import { setTimeout as sleep } from "node:timers/promises";
import type { ServiceImpl } from "@connectrpc/connect";
import { Fault } from "../../fault/fault.ts";
import type { Daemon } from "../daemon.ts";
import {
  type Health,
  HealthCheckResponse_ServingStatus as Status,
} from "./generated/grpc/health/v1/health_pb.ts";

/** @param names services that may be asked for, besides the whole: "" */
export function healthService(
  daemon: Daemon,
  names: ReadonlySet<string>,
  everyMs: number,
): ServiceImpl<typeof Health> {
  const knows = (service: string) => service === "" || names.has(service);
  const serving = async () => ((await daemon.unready()) === undefined ? Status.SERVING : Status.NOT_SERVING);
  return {
    async check({ service }) {
      if (!knows(service)) throw new Fault("NOT_FOUND", `there is no service ${service}`);
      return { status: await serving() };
    },
    async *watch({ service }, { signal }) {
      let said: Status | undefined;
      while (!signal.aborted) {
        const status = knows(service) ? await serving() : Status.SERVICE_UNKNOWN;
        if (status !== said) yield { status };
        said = status;
        await sleep(everyMs, undefined, { signal, ref: false }).catch(() => {});
      }
    },
  };
}
