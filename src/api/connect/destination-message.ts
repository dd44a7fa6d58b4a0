/** Destinations of the catalogue as messages, and back. */
import { create } from "@bufbuild/protobuf";
import type { Destination } from "../../catalog/destination.ts";
import type { Versioned } from "../../catalog/entry.ts";
import { enumWords } from "./enum-words.ts";
import { given, required } from "./fields.ts";
import {
  type Destination as DestinationMessage,
  DestinationSchema,
  ProviderSchema,
} from "./generated/diskferry/v1/destination_pb.ts";

const PROVIDER = enumWords(ProviderSchema, ["swift", "s3", "oss", "directory"]);

export function destinationMessage({ entry, version }: Versioned<Destination>): DestinationMessage {
  return create(DestinationSchema, {
    ...entry,
    provider: PROVIDER.wire(entry.provider),
    version: BigInt(version),
  });
}

export function destinationEntry(message: DestinationMessage): Destination {
  return {
    name: required("destination.name", message.name),
    region: required("destination.region", message.region),
    ...given("project", message.project),
    provider: required("destination.provider", PROVIDER.word("destination.provider", message.provider)),
    container: required("destination.container", message.container),
    location: required("destination.location", message.location),
    ...given("credential", message.credential),
  };
}
