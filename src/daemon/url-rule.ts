/** Which URLs callers may import from: the daemon stands where they do not, and must not reach for them what they cannot. */
import { Fault } from "../fault/fault.ts";
import type { Bounds } from "../source/http/http.ts";
import { hideSecrets } from "../telemetry/secrets.ts";

/**
 * Folders of web servers, wherever these are; `any`: servers with public addresses; `anywhere`: those of this host and
 * of its networks, too.
 */
export type UrlRule = readonly string[] | "any" | "anywhere";

/** What can be said of a URL without asking anybody. */
export function isAllowed(url: string, rule: UrlRule): boolean {
  return typeof rule === "string" || rule.some((folder) => isBelow(url, folder));
}

export function boundsOf(rule: UrlRule): Bounds {
  return {
    reach: rule === "any" ? "public" : "anywhere",
    check(url) {
      if (isAllowed(url, rule)) return;
      throw new Fault(
        "PERMISSION",
        `${hideSecrets(url)}: the daemon is configured to import from other places only`,
      );
    },
  };
}

/** On the same server, and in the folder or below it. */
function isBelow(url: string, folder: string): boolean {
  const [asked, allowed] = [URL.parse(url), URL.parse(folder)];
  if (asked === null || allowed === null || asked.origin !== allowed.origin) return false;
  const path = allowed.pathname.endsWith("/") ? allowed.pathname : `${allowed.pathname}/`;
  return asked.pathname === allowed.pathname || asked.pathname.startsWith(path);
}
