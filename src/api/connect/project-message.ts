/** Projects of the catalogue as messages, and back. */
import { create } from "@bufbuild/protobuf";
import type { Versioned } from "../../catalog/entry.ts";
import { type Project, project, type Quotas } from "../../catalog/project.ts";
import { enumWords } from "./enum-words.ts";
import { given, required, safe } from "./fields.ts";
import {
  KeyServiceSchema,
  PaymentSchema,
  type Project as ProjectMessage,
  ProjectSchema,
  type Quotas as QuotasMessage,
  QuotasSchema,
} from "./generated/diskferry/v1/project_pb.ts";
import { PERMISSION } from "./permission-words.ts";

const PAYMENT = enumWords(PaymentSchema, ["settled", "outstanding"]);
const KEY_SERVICE = enumWords(KeyServiceSchema, ["disabled", "enabled", "authorized"]);

export function projectMessage({ entry, version }: Versioned<Project>): ProjectMessage {
  return create(ProjectSchema, {
    id: entry.id,
    name: entry.name,
    aliUid: entry.aliUid ?? "",
    payment: PAYMENT.wire(entry.payment),
    imports: PERMISSION.wire(entry.imports),
    exports: PERMISSION.wire(entry.exports),
    ownKeys: PERMISSION.wire(entry.ownKeys),
    defaultEncryption: entry.defaultEncryption === "on",
    keyService: KEY_SERVICE.wire(entry.keyService),
    quotas: quotasMessage(entry.quotas),
    resourceGroups: [...entry.resourceGroups],
    roles: [...entry.roles],
    version: BigInt(version),
  });
}

/** What is absent is as usual. */
export function projectEntry(message: ProjectMessage): Project {
  const { quotas } = message;
  return project({
    id: required("project.id", message.id),
    ...given("name", message.name),
    ...given("aliUid", message.aliUid),
    ...given("payment", PAYMENT.word("project.payment", message.payment)),
    ...given("imports", PERMISSION.word("project.imports", message.imports)),
    ...given("exports", PERMISSION.word("project.exports", message.exports)),
    ...given("ownKeys", PERMISSION.word("project.own_keys", message.ownKeys)),
    defaultEncryption: message.defaultEncryption ? "on" : "off",
    ...given("keyService", KEY_SERVICE.word("project.key_service", message.keyService)),
    ...(quotas === undefined ? {} : { quotas: quotasEntry(quotas) }),
    resourceGroups: message.resourceGroups,
    roles: message.roles,
  });
}

export function quotasMessage(quotas: Quotas): QuotasMessage {
  return create(QuotasSchema, {
    images: BigInt(quotas.images),
    snapshots: BigInt(quotas.snapshots),
    exports: BigInt(quotas.exports),
    weeklyExports: BigInt(quotas.weeklyExports),
    unfinished: BigInt(quotas.unfinished),
  });
}

function quotasEntry({ images, snapshots, exports, weeklyExports, unfinished }: QuotasMessage): Quotas {
  return {
    images: safe("quotas.images", images),
    snapshots: safe("quotas.snapshots", snapshots),
    exports: safe("quotas.exports", exports),
    weeklyExports: safe("quotas.weekly_exports", weeklyExports),
    unfinished: safe("quotas.unfinished", unfinished),
  };
}
