/** A web server for a qcow2 whose clusters it gives out one by one, as a test likes. */
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { qemuImg } from "../support/qemu.ts";
import { writeSpread } from "./disk.ts";

const KiB = 1024;
const MiB = 1024 * KiB;

/** Clusters with data: one of them is one percent of a task, from 10 to 95 (D2). */
const CLUSTERS = 85;

export interface GatedSource extends AsyncDisposable {
  readonly origin: string;
  readonly url: string;
  /** Gives out so many clusters, the first ones first, and holds back whoever asks for a later one. */
  open(clusters: number): void;
  /** Resolves once somebody is held back. */
  held(): Promise<void>;
}

/** @param path of a file name that is free; the raw disk stands there afterwards. */
export async function gatedSource(path: string): Promise<GatedSource> {
  writeSpread(path, { runs: CLUSTERS, apart: 4 * MiB, data: 64 * KiB });
  qemuImg("convert", "-f", "raw", "-O", "qcow2", path, `${path}.qcow2`);
  const content = readFileSync(`${path}.qcow2`);
  const map = execFileSync("qemu-img", ["map", "--output=json", `${path}.qcow2`], { encoding: "utf8" });
  const runs = JSON.parse(map) as { data: boolean; offset?: number }[];
  const offsets = runs.filter(({ data }) => data).map(({ offset = 0 }) => offset);
  if (offsets.length !== CLUSTERS) throw new Error(`${offsets.length} clusters in place of ${CLUSTERS}`);
  let allowed = 0;
  let waiting: { readonly first: number; readonly answer: () => void }[] = [];
  let changed = Promise.withResolvers<void>();

  /** Tables are read ahead of the data, and a cluster may come along with those before it. */
  const isGiven = (first: number): boolean => offsets.indexOf(first) < allowed;

  const server = createServer((asked, reply) => {
    const range = /^bytes=(\d+)-(\d+)$/.exec(asked.headers.range ?? "");
    const first = Number(range?.[1]);
    const answer = (): void => give(reply, first, Math.min(Number(range?.[2]) + 1, content.length));
    if (isGiven(first)) return answer();
    const one = { first, answer };
    waiting.push(one);
    changed.resolve();
    changed = Promise.withResolvers();
    reply.once("close", () => {
      waiting = waiting.filter((other) => other !== one);
    });
  });

  function give(reply: ServerResponse, first: number, end: number): void {
    const range = `bytes ${first}-${end - 1}/${content.length}`;
    reply.writeHead(206, { "content-range": range, "content-length": end - first, etag: '"1"' });
    reply.end(content.subarray(first, end));
  }

  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    origin,
    url: `${origin}/disk.qcow2`,
    open(clusters) {
      allowed = Math.min(clusters, CLUSTERS);
      const now = waiting.filter(({ first }) => isGiven(first));
      waiting = waiting.filter(({ first }) => !isGiven(first));
      for (const { answer } of now) answer();
    },
    async held() {
      while (waiting.length === 0) await changed.promise;
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}
