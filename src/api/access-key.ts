/** Access keys: whoever has one signs his requests with its secret, and never sends it. */
import { timingSafeEqual } from "node:crypto";
import type { Caller } from "../service/caller.ts";

export interface AccessKey extends Pick<Caller, "name" | "project" | "role"> {
  readonly id: string;
  /** Only in memory: in no record, no log and no message. */
  readonly secret: string;
  /** Whatever is signed with one that is disabled is refused. */
  readonly state: "enabled" | "disabled";
  /** What it may ask for, such as `ecs:CopyImage` or `evs:UploadVolume`; absent: everything. */
  readonly actions?: readonly string[];
  /** The only resource groups that it may put images under; absent: all, and none. */
  readonly resourceGroups?: readonly string[];
}

/** By their ids. */
export type AccessKeys = ReadonlyMap<string, AccessKey>;

/** How long the comparison takes says nothing of where they differ. */
export function isSameSignature(computed: string, given: string): boolean {
  const [a, b] = [Buffer.from(computed), Buffer.from(given)];
  return a.length === b.length && timingSafeEqual(a, b);
}
