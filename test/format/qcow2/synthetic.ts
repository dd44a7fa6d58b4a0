/** Images far larger than memory whose bytes are computed when they are read. */
import { Fault } from "../../../src/fault/fault.ts";
import type { Source } from "../../../src/source/source.ts";

export interface Synthetic {
  readonly virtualSize: number;
  readonly clusterBits: number;
  /** Whether L2 tables follow the L1 table, or there are none. */
  readonly tables: "full" | "none";
  /** High and low word of the entry of a guest cluster; `data` is the number of the first cluster behind the tables. */
  readonly entry: (guestCluster: number, data: number, into: DataView, at: number) => void;
}

/** Reads so far, for tests that count them. */
export interface Counted {
  reads: number;
  bytes: number;
}

/** header | refcount table, empty | L1 | L2 tables | as many clusters as the guest has */
export function synthetic(shape: Synthetic, counted: Counted = { reads: 0, bytes: 0 }): Source {
  const cluster = 2 ** shape.clusterBits;
  const perTable = cluster / 8;
  const guestClusters = Math.ceil(shape.virtualSize / cluster);
  const tables = Math.ceil(guestClusters / perTable);
  const l1Clusters = Math.ceil((tables * 8) / cluster);
  const firstTable = 2 + l1Clusters;
  const data = firstTable + (shape.tables === "full" ? tables : 0);

  const fill = (number: number, bytes: Buffer) => {
    bytes.fill(0);
    if (number === 0) {
      bytes.writeUInt32BE(0x514649fb, 0);
      bytes.writeUInt32BE(3, 4);
      bytes.writeUInt32BE(shape.clusterBits, 20);
      bytes.writeBigUInt64BE(BigInt(shape.virtualSize), 24);
      bytes.writeUInt32BE(tables, 36);
      bytes.writeBigUInt64BE(BigInt(2 * cluster), 40);
      bytes.writeBigUInt64BE(BigInt(cluster), 48);
      bytes.writeUInt32BE(1, 56);
      bytes.writeUInt32BE(4, 96);
      bytes.writeUInt32BE(112, 100);
    } else if (number >= 2 && number < firstTable && shape.tables === "full") {
      for (let at = 0; at < cluster; at += 8) {
        const table = ((number - 2) * cluster + at) / 8;
        if (table < tables) bytes.writeBigUInt64BE(BigInt((firstTable + table) * cluster), at);
      }
    } else if (number >= firstTable && number < data) {
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
      const first = (number - firstTable) * perTable;
      for (let i = 0; i < perTable && first + i < guestClusters; i += 1)
        shape.entry(first + i, data, view, i * 8);
    }
  };

  const size = (data + guestClusters) * cluster;
  return {
    name: "synthetic.qcow2",
    size,
    version: "1",
    async read(into, position) {
      if (position + into.length > size) throw new Fault("IMAGE_TRUNCATED", "synthetic.qcow2: ends");
      counted.reads += 1;
      counted.bytes += into.length;
      const part = Buffer.alloc(cluster);
      for (let done = 0; done < into.length; ) {
        const at = position + done;
        const inside = at % cluster;
        const length = Math.min(cluster - inside, into.length - done);
        if (length === cluster) {
          fill(at / cluster, Buffer.from(into.buffer, into.byteOffset + done, cluster));
        } else {
          fill(Math.floor(at / cluster), part);
          into.set(part.subarray(inside, inside + length), done);
        }
        done += length;
      }
    },
    async recipe() {
      throw new Fault("INTERNAL", "synthetic.qcow2: exists in this thread only");
    },
    async check() {},
    async [Symbol.asyncDispose]() {},
  };
}

/** Guest clusters in order, behind the tables. */
export function plainEntry(cluster: number): Synthetic["entry"] {
  return (guest, data, into, at) => {
    const offset = (data + guest) * cluster;
    into.setUint32(at, 0x80000000 + Math.floor(offset / 2 ** 32));
    into.setUint32(at + 4, offset % 2 ** 32);
  };
}
