/** Images, volumes and destinations over Connect. */
import type { ServiceImpl } from "@connectrpc/connect";
import type { Service } from "../../service/service.ts";
import { destinationEntry, destinationMessage } from "./destination-message.ts";
import { pageOf, pageQuery, versionOf } from "./entry-page.ts";
import { required } from "./fields.ts";
import type { CatalogService } from "./generated/diskferry/v1/catalog_service_pb.ts";
import { callerOf } from "./handler.ts";
import { imageEntry, imageMessage } from "./image-message.ts";
import { volumeEntry, volumeMessage } from "./volume-message.ts";

export function catalogService(
  { images, volumes, destinations }: Service,
  now: () => number,
): ServiceImpl<typeof CatalogService> {
  return {
    async getImage({ id }, context) {
      return { image: imageMessage(await images.get(callerOf(context), required("id", id))) };
    },
    async listImages(request, context) {
      const { messages, nextPageToken } = pageOf(
        await images.list(callerOf(context), pageQuery(request)),
        imageMessage,
      );
      return { images: messages, nextPageToken };
    },
    async registerImage({ image }, context) {
      const entry = imageEntry(required("image", image), now());
      return { image: imageMessage(await images.register(callerOf(context), entry)) };
    },
    async replaceImage({ image }, context) {
      const entry = imageEntry(required("image", image), now());
      const version = versionOf(image?.version ?? 0n);
      return { image: imageMessage(await images.replace(callerOf(context), entry, version)) };
    },
    async unregisterImage({ id, version }, context) {
      await images.unregister(callerOf(context), required("id", id), versionOf(version));
      return {};
    },
    async getVolume({ id }, context) {
      return { volume: volumeMessage(await volumes.get(callerOf(context), required("id", id))) };
    },
    async listVolumes(request, context) {
      const { messages, nextPageToken } = pageOf(
        await volumes.list(callerOf(context), pageQuery(request)),
        volumeMessage,
      );
      return { volumes: messages, nextPageToken };
    },
    async registerVolume({ volume }, context) {
      const entry = volumeEntry(required("volume", volume), now());
      return { volume: volumeMessage(await volumes.register(callerOf(context), entry)) };
    },
    async replaceVolume({ volume }, context) {
      const entry = volumeEntry(required("volume", volume), now());
      const version = versionOf(volume?.version ?? 0n);
      return { volume: volumeMessage(await volumes.replace(callerOf(context), entry, version)) };
    },
    async unregisterVolume({ id, version }, context) {
      await volumes.unregister(callerOf(context), required("id", id), versionOf(version));
      return {};
    },
    async getDestination({ name }, context) {
      return {
        destination: destinationMessage(await destinations.get(callerOf(context), required("name", name))),
      };
    },
    async listDestinations(request, context) {
      const { messages, nextPageToken } = pageOf(
        await destinations.list(callerOf(context), pageQuery(request)),
        destinationMessage,
      );
      return { destinations: messages, nextPageToken };
    },
    async registerDestination({ destination }, context) {
      const entry = destinationEntry(required("destination", destination));
      return { destination: destinationMessage(await destinations.register(callerOf(context), entry)) };
    },
    async replaceDestination({ destination }, context) {
      const entry = destinationEntry(required("destination", destination));
      const version = versionOf(destination?.version ?? 0n);
      return {
        destination: destinationMessage(await destinations.replace(callerOf(context), entry, version)),
      };
    },
    async unregisterDestination({ name, version }, context) {
      await destinations.unregister(callerOf(context), required("name", name), versionOf(version));
      return {};
    },
  };
}
