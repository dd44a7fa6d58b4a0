/** Which versions of the block storage API are spoken: what Cinder's clients ask before all else. */
import type { Reply } from "../dialect.ts";
import type { Seen } from "./asked.ts";

/** The newest microversion of Cinder's clients whose requests are understood here. */
const NEWEST_MICROVERSION = "3.70";

type Version = "v2" | "v3";

const UPDATED = "2023-08-31T00:00:00Z";

function versionOf(id: Version, origin: string) {
  const micro =
    id === "v3" ? { version: NEWEST_MICROVERSION, min_version: "3.0" } : { version: "", min_version: "" };
  return {
    id: `${id}.0`,
    status: id === "v3" ? "CURRENT" : "SUPPORTED",
    ...micro,
    updated: UPDATED,
    links: [{ rel: "self", href: `${origin}/${id}/` }],
    "media-types": [{ base: "application/json", type: "application/json" }],
  };
}

/** 300: there is a choice. */
export function listVersions({ origin }: Seen): Reply {
  return { status: 300, body: { versions: [versionOf("v2", origin), versionOf("v3", origin)] } };
}

export function showVersion({ parameters, origin }: Seen): Reply {
  return {
    status: 200,
    body: { versions: [versionOf(parameters["version"] === "v2" ? "v2" : "v3", origin)] },
  };
}
