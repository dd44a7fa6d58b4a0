/** The configuration of a Ceph made to be thrown away: one monitor, one store in memory, one gateway, no mgr. */
import { randomUUID } from "node:crypto";
import { join } from "node:path";

export interface CephLayout {
  /** Private to this Ceph; everything it writes lies below. */
  readonly root: string;
  /** The cluster's identity. */
  readonly fsid: string;
  readonly monitorPort: number;
  /** S3 is served here, in plain HTTP, on loopback. */
  readonly gatewayPort: number;
}

export function cephLayout(root: string, monitorPort: number, gatewayPort: number): CephLayout {
  return { root, fsid: randomUUID(), monitorPort, gatewayPort };
}

export const confPath = (layout: CephLayout): string => join(layout.root, "ceph.conf");
export const monitorAddress = (layout: CephLayout): string => `[v2:127.0.0.1:${layout.monitorPort}]`;

type Section = Readonly<Record<string, string | number | boolean>>;

/** ceph.conf, section by section. */
export function cephConf(layout: CephLayout): string {
  const at = (name: string) => join(layout.root, name);
  const sections: Readonly<Record<string, Section>> = {
    global: {
      fsid: layout.fsid,
      "mon host": monitorAddress(layout),
      "mon initial members": "a",
      "public addr": "127.0.0.1",
      "cluster addr": "127.0.0.1",
      "ms bind ipv6": false,
      // Without keys there are no encrypted sessions either, and the gateway would wait for one.
      "auth cluster required": "none",
      "auth service required": "none",
      "auth client required": "none",
      keyring: "/dev/null",
      "ms mon client mode": "crc",
      "setuser match path": "",
      "run dir": layout.root,
      "crash dir": layout.root,
      "admin socket": at("$name.asok"),
      "log file": at("$name.log"),
      "mon cluster log file": at("cluster.log"),
      // One copy of everything.
      "osd pool default size": 1,
      "osd pool default min size": 1,
      "mon allow pool size one": true,
      "osd pool default pg num": 4,
      "osd pool default pgp num": 4,
      "osd pool default pg autoscale mode": "off",
      "mon max pg per osd": 1000,
      "osd crush chooseleaf type": 0,
      "osd objectstore": "memstore",
      "memstore device bytes": 4 * 1024 ** 3,
      // The gateway makes a dozen pools when it starts, and each waits for the monitor to agree with itself.
      "paxos propose interval": 0.02,
      "paxos min wait": 0.01,
      // A nearly full disk of the host is no concern of a store in memory.
      "mon data avail warn": 1,
      "mon data avail crit": 1,
    },
    "mon.a": { "mon data": at("mon") },
    "osd.0": { "osd data": at("osd") },
    "client.rgw": {
      "rgw frontends": `beast endpoint=127.0.0.1:${layout.gatewayPort}`,
      "rgw data": layout.root,
      "rgw enable usage log": false,
      "rgw enable ops log": false,
      "rgw dynamic resharding": false,
      "rgw override bucket index max shards": 1,
      "rgw run sync thread": false,
      // What is deleted gives its memory back soon.
      "rgw gc obj min wait": 5,
    },
  };
  return Object.entries(sections)
    .map(([name, section]) => {
      const lines = Object.entries(section).map(([key, value]) => `${key} = ${value}`);
      return `[${name}]\n${lines.join("\n")}\n`;
    })
    .join("\n");
}
