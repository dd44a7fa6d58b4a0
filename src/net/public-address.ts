/** Which addresses the whole Internet reaches, and how a connection goes nowhere else. */
import { lookup } from "node:dns";
import { BlockList, isIP, isIPv6, type LookupFunction } from "node:net";
import { Fault } from "../fault/fault.ts";

/** RFC 6890 and the IANA registries of special-purpose addresses. */
const SPECIAL = new BlockList();
for (const [net, prefix] of [
  ["0.0.0.0", 8],
  ["10.0.0.0", 8],
  ["100.64.0.0", 10],
  ["127.0.0.0", 8],
  ["169.254.0.0", 16],
  ["172.16.0.0", 12],
  ["192.0.0.0", 24],
  ["192.0.2.0", 24],
  ["192.88.99.0", 24],
  ["192.168.0.0", 16],
  ["198.18.0.0", 15],
  ["198.51.100.0", 24],
  ["203.0.113.0", 24],
  ["224.0.0.0", 4],
  ["240.0.0.0", 4],
] as const) {
  SPECIAL.addSubnet(net, prefix, "ipv4");
}
for (const [net, prefix] of [
  // These carry IPv4 addresses inside. Addresses that are mapped are held against the nets above.
  ["::", 96],
  ["::ffff:0:0:0", 96],
  ["64:ff9b::", 96],
  ["64:ff9b:1::", 48],
  ["2001::", 32],
  ["2002::", 16],
  ["100::", 64],
  ["2001:db8::", 32],
  ["fc00::", 7],
  ["fe80::", 10],
  ["fec0::", 10],
  ["ff00::", 8],
] as const) {
  SPECIAL.addSubnet(net, prefix, "ipv6");
}

/** @throws Fault PERMISSION when `host`, as a URL writes it, is an address that is not public; names are looked up later. */
export function refuseSpecial(host: string): void {
  const address = host.replace(/^\[|\]$/g, "");
  if (isIP(address) !== 0 && isSpecial(address)) throw special(host, address);
}

/**
 * Looks up the very address that is connected to, so that a name cannot mean one address when it is checked and
 * another when it is used. Gives Fault PERMISSION when any of the name's addresses is not public.
 */
export const lookupPublic: LookupFunction = (host, options, callback) => {
  lookup(host, { ...options, all: true }, (error, found) => {
    if (error !== null) return callback(error, "");
    const inside = found.find(({ address }) => isSpecial(address));
    if (inside !== undefined) return callback(special(host, inside.address), "");
    const [first] = found;
    if (options.all === true || first === undefined) callback(null, found);
    else callback(null, first.address, first.family);
  });
};

function isSpecial(address: string): boolean {
  return SPECIAL.check(address, isIPv6(address) ? "ipv6" : "ipv4");
}

function special(host: string, address: string): Fault {
  const where = host.replace(/^\[|\]$/g, "") === address ? address : `${host} is at ${address}, and that`;
  return new Fault(
    "PERMISSION",
    `${where} is no public address; name the folder in the configuration if it is meant`,
  );
}
