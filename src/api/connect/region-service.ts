/** Regions, slots and usage over Connect. */
import type { ServiceImpl } from "@connectrpc/connect";
import { Fault } from "../../fault/fault.ts";
import type { Service } from "../../service/service.ts";
import { pageOf, pageQuery, versionOf } from "./entry-page.ts";
import { required } from "./fields.ts";
import type { RegionService } from "./generated/diskferry/v1/region_service_pb.ts";
import { callerOf } from "./handler.ts";
import { quotasMessage } from "./project-message.ts";
import { regionEntry, regionMessage, slotsEntry, slotsMessage } from "./region-message.ts";

/** How often slots are set anew when somebody else changes the region at the same time. */
const ATTEMPTS = 5;

export function regionService({ regions, usage }: Service): ServiceImpl<typeof RegionService> {
  return {
    async getRegion({ id }, context) {
      return { region: regionMessage(await regions.get(callerOf(context), required("id", id))) };
    },
    async listRegions(request, context) {
      const { messages, nextPageToken } = pageOf(
        await regions.list(callerOf(context), pageQuery(request)),
        regionMessage,
      );
      return { regions: messages, nextPageToken };
    },
    async registerRegion({ region }, context) {
      const entry = regionEntry(required("region", region));
      return { region: regionMessage(await regions.register(callerOf(context), entry)) };
    },
    async replaceRegion({ region }, context) {
      const entry = regionEntry(required("region", region));
      const version = versionOf(region?.version ?? 0n);
      return { region: regionMessage(await regions.replace(callerOf(context), entry, version)) };
    },
    async unregisterRegion({ id, version }, context) {
      await regions.unregister(callerOf(context), required("id", id), versionOf(version));
      return {};
    },
    async setSlots({ region, slots }, context) {
      const caller = callerOf(context);
      const wanted = slotsEntry(required("slots", slots));
      for (let attempt = 1; ; attempt += 1) {
        const { entry, version } = await regions.get(caller, required("region", region));
        try {
          return {
            region: regionMessage(await regions.replace(caller, { ...entry, slots: wanted }, version)),
          };
        } catch (error) {
          if (!(error instanceof Fault) || error.code !== "CONFLICT" || attempt === ATTEMPTS) throw error;
        }
      }
    },
    async getUsage(_, context) {
      const used = await usage(callerOf(context));
      return {
        regions: used.regions.map(({ region, slots, running, images }) => ({
          region,
          slots: slotsMessage(slots),
          slotsInUse: slotsMessage(running),
          images: BigInt(images),
        })),
        quotas: quotasMessage(used.quotas),
        unfinished: BigInt(used.unfinished),
        exports: BigInt(used.exports),
        weeklyExports: BigInt(used.weeklyExports),
      };
    },
  };
}
