/** Which URLs callers may import from: the daemon stands where they do not, and must not reach for them what they cannot. */
import { lookup } from "node:dns/promises";
import { BlockList, isIPv6 } from "node:net";
import { Fault } from "../fault/fault.ts";
import { withDeadline } from "../flow/deadline.ts";
import { hideSecrets } from "../telemetry/secrets.ts";

/**
 * Folders of web servers, wherever these are; `any`: servers with public addresses; `anywhere`: those of this host and
 * of its networks, too.
 */
export type UrlRule = readonly string[] | "any" | "anywhere";

const LOOKUP_MS = 10_000;

/** RFC 6890 and the IANA registries of special-purpose addresses: nothing that the whole Internet reaches. */
const SPECIAL = new BlockList();
for (const [net, prefix] of [
  ["0.0.0.0", 8],
  ["10.0.0.0", 8],
  ["100.64.0.0", 10],
  ["127.0.0.0", 8],
  ["169.254.0.0", 16],
  ["172.16.0.0", 12],
  ["192.0.0.0", 24],
  ["192.168.0.0", 16],
  ["198.18.0.0", 15],
  ["224.0.0.0", 4],
  ["240.0.0.0", 4],
] as const) {
  SPECIAL.addSubnet(net, prefix, "ipv4");
}
for (const [net, prefix] of [
  ["::", 127],
  // These carry IPv4 addresses inside.
  ["64:ff9b::", 96],
  ["64:ff9b:1::", 48],
  ["2002::", 16],
  ["fc00::", 7],
  ["fe80::", 10],
  ["ff00::", 8],
] as const) {
  SPECIAL.addSubnet(net, prefix, "ipv6");
}

/** What can be said of a URL without asking anybody. */
export function isAllowed(url: string, rule: UrlRule): boolean {
  return typeof rule === "string" || rule.some((folder) => isBelow(url, folder));
}

/** @throws Fault PERMISSION when the rule does not allow the URL; NETWORK, TIMEOUT when its host has no address. */
export async function checkUrl(url: string, rule: UrlRule, signal: AbortSignal): Promise<void> {
  if (!isAllowed(url, rule)) {
    throw new Fault(
      "PERMISSION",
      `${hideSecrets(url)}: the daemon is configured to import from other places only`,
    );
  }
  if (rule !== "any") return;
  const host = new URL(url).hostname.replace(/^\[|\]$/g, "");
  const inside = (await addressesOf(host, signal)).find(isSpecial);
  if (inside === undefined) return;
  throw new Fault(
    "PERMISSION",
    `${hideSecrets(url)}: ${inside} is no public address; name the folder in the configuration if it is meant`,
  );
}

function addressesOf(host: string, signal: AbortSignal): Promise<readonly string[]> {
  return withDeadline(host, LOOKUP_MS, signal, async (until) => {
    const ended = Promise.withResolvers<never>();
    const end = () => ended.reject(until.reason);
    until.addEventListener("abort", end, { once: true });
    try {
      // The lookup itself cannot be ended.
      const found = await Promise.race([lookup(host, { all: true }), ended.promise]);
      return found.map(({ address }) => address);
    } catch (error) {
      until.throwIfAborted();
      throw new Fault("NETWORK", `${host}: has no address that can be found`, { cause: error });
    } finally {
      until.removeEventListener("abort", end);
    }
  });
}

function isSpecial(address: string): boolean {
  return SPECIAL.check(address, isIPv6(address) ? "ipv6" : "ipv4");
}

/** On the same server, and in the folder or below it. */
function isBelow(url: string, folder: string): boolean {
  const [asked, allowed] = [URL.parse(url), URL.parse(folder)];
  if (asked === null || allowed === null || asked.origin !== allowed.origin) return false;
  const path = allowed.pathname.endsWith("/") ? allowed.pathname : `${allowed.pathname}/`;
  return asked.pathname === allowed.pathname || asked.pathname.startsWith(path);
}
