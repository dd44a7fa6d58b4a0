/** Regions of the catalogue as messages, and back. */
import { create } from "@bufbuild/protobuf";
import type { Versioned } from "../../catalog/entry.ts";
import { type Region, region, type Slots } from "../../catalog/region.ts";
import { enumWords } from "./enum-words.ts";
import { given, required, safe } from "./fields.ts";
import {
  type Region as RegionMessage,
  RegionSchema,
  RegionStatusSchema,
  type Slots as SlotsMessage,
  SlotsSchema,
  SwiftApiVersionSchema,
} from "./generated/diskferry/v1/region_pb.ts";
import { PERMISSION } from "./permission-words.ts";
import { writeMessage } from "./task-message.ts";
import { writeOptions } from "./task-request.ts";

const STATUS = enumWords(RegionStatusSchema, ["available", "sold-out", "closed"]);
const SWIFT = enumWords(SwiftApiVersionSchema, ["v1", "v2"]);

export function regionMessage({ entry, version }: Versioned<Region>): RegionMessage {
  const { ingressFrom, exportFormats, largestCopy } = entry;
  return create(RegionSchema, {
    id: entry.id,
    localName: entry.localName,
    status: STATUS.wire(entry.status),
    importExport: PERMISSION.wire(entry.importExport),
    copy: PERMISSION.wire(entry.copy),
    egress: PERMISSION.wire(entry.egress),
    ...(ingressFrom === "any" ? {} : { ingressFrom: { ids: [...ingressFrom] } }),
    complianceDeny: [...entry.complianceDeny],
    ownKeys: PERMISSION.wire(entry.ownKeys),
    encryptAlgorithms: [...entry.encryptAlgorithms],
    vhdCopy: PERMISSION.wire(entry.vhdCopy),
    ...(largestCopy === undefined ? {} : { largestCopy: BigInt(largestCopy) }),
    encryptOnCopy: PERMISSION.wire(entry.encryptOnCopy),
    ...(exportFormats === "any" ? {} : { exportFormats: { names: [...exportFormats] } }),
    swiftApiVersion: SWIFT.wire(entry.swiftApiVersion),
    slots: slotsMessage(entry.slots),
    imageStore: entry.imageStore,
    imageWrite: writeMessage(entry.imageWrite),
    peerUrl: entry.peerUrl ?? "",
    bandwidth: BigInt(entry.bandwidth ?? 0),
    version: BigInt(version),
  });
}

/** What is absent is as usual. */
export function regionEntry(message: RegionMessage): Region {
  const { ingressFrom, exportFormats, largestCopy, slots, imageWrite } = message;
  const permission = (field: string, value: RegionMessage["copy"]) =>
    PERMISSION.word(`region.${field}`, value);
  return region({
    id: required("region.id", message.id),
    ...given("localName", message.localName),
    ...given("status", STATUS.word("region.status", message.status)),
    ...given("importExport", permission("import_export", message.importExport)),
    ...given("copy", permission("copy", message.copy)),
    ...given("egress", permission("egress", message.egress)),
    ...(ingressFrom === undefined ? {} : { ingressFrom: ingressFrom.ids }),
    complianceDeny: message.complianceDeny,
    ...given("ownKeys", permission("own_keys", message.ownKeys)),
    encryptAlgorithms: message.encryptAlgorithms,
    ...given("vhdCopy", permission("vhd_copy", message.vhdCopy)),
    ...(largestCopy === undefined ? {} : { largestCopy: safe("region.largest_copy", largestCopy) }),
    ...given("encryptOnCopy", permission("encrypt_on_copy", message.encryptOnCopy)),
    ...(exportFormats === undefined ? {} : { exportFormats: exportFormats.names }),
    ...given("swiftApiVersion", SWIFT.word("region.swift_api_version", message.swiftApiVersion)),
    ...(slots === undefined ? {} : { slots: slotsEntry(slots) }),
    imageStore: required("region.image_store", message.imageStore),
    ...(imageWrite === undefined ? {} : { imageWrite: writeOptions(imageWrite) }),
    ...given("peerUrl", message.peerUrl),
    ...given("bandwidth", safe("region.bandwidth", message.bandwidth)),
  });
}

export function slotsMessage(slots: Slots): SlotsMessage {
  return create(SlotsSchema, { copies: slots.copy, exports: slots.export, imports: slots.import });
}

export function slotsEntry({ copies, exports, imports }: SlotsMessage): Slots {
  return { copy: copies, export: exports, import: imports };
}
