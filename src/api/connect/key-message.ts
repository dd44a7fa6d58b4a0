/** Keys of the catalogue as messages, and back. */
import { create } from "@bufbuild/protobuf";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import type { Versioned } from "../../catalog/entry.ts";
import type { Key } from "../../catalog/key.ts";
import { enumWords } from "./enum-words.ts";
import { required, yesNo } from "./fields.ts";
import { type Key as KeyMessage, KeySchema, KeyStateSchema } from "./generated/diskferry/v1/key_pb.ts";
import { timestamp } from "./task-message.ts";

const STATE = enumWords(KeyStateSchema, ["Enabled", "Disabled", "PendingDeletion"]);

export function keyMessage({ entry, version }: Versioned<Key>): KeyMessage {
  return create(KeySchema, {
    id: entry.id,
    project: entry.project,
    region: entry.region,
    state: STATE.wire(entry.state),
    serviceGrant: entry.serviceGrant === "yes",
    tagGrant: entry.tagGrant === "yes",
    createTime: timestamp(entry.createdAt),
    version: BigInt(version),
  });
}

/** Without a time it is of now. */
export function keyEntry({ createTime, ...message }: KeyMessage, now: number): Key {
  return {
    id: required("key.id", message.id),
    project: message.project,
    region: required("key.region", message.region),
    state: STATE.word("key.state", message.state) ?? "Enabled",
    serviceGrant: yesNo(message.serviceGrant),
    tagGrant: yesNo(message.tagGrant),
    createdAt: createTime === undefined ? now : timestampMs(createTime),
  };
}
