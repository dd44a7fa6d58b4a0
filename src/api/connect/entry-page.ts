/** What every kind of catalogue entry is asked for: pages of AIP-158, and the version that a change starts from. */
import type { Versioned } from "../../catalog/entry.ts";
import type { EntryList, EntryQuery } from "../../service/service.ts";
import { malformed } from "../../service/wellformed.ts";
import { given, safe } from "./fields.ts";

interface PageRequest {
  readonly pageSize: number;
  readonly pageToken: string;
  readonly region?: string;
  readonly name?: string;
}

export function pageQuery({ pageSize, pageToken, region, name }: PageRequest): EntryQuery {
  return {
    ...given("limit", pageSize),
    ...given("after", pageToken === "" ? undefined : Buffer.from(pageToken, "base64url").toString()),
    ...given("region", region),
    ...given("name", name),
  };
}

export function pageOf<Entry, Message>(
  { entries, next }: EntryList<Entry>,
  message: (entry: Versioned<Entry>) => Message,
) {
  const nextPageToken = next === undefined ? "" : Buffer.from(next).toString("base64url");
  return { messages: entries.map(message), nextPageToken };
}

/** @throws Fault USAGE when no version is named: whoever changes something must have seen it. */
export function versionOf(version: bigint): number {
  if (version < 1n) throw malformed("version", "name the version that you have seen");
  return safe("version", version);
}
