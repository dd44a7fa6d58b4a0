/** A directory under the campaign. Its moments are changes of files, as the kernel tells them. */
import { createReadStream, existsSync, type FSWatcher, watch } from "node:fs";
import { mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { type Store, sha256 } from "./store.ts";
import type { Moment, Tripwire } from "./tripwire.ts";

/** `state`: where journals are. */
export async function directoryStore(root: string, state: string): Promise<Store> {
  const directory = join(root, "landed");
  await mkdir(directory, { recursive: true });
  await mkdir(state, { recursive: true });
  const tripwire = watchFiles(directory, state);
  const partial = async () => (await readdir(directory)).filter((name) => name.startsWith("."));
  return {
    title: "a directory",
    tripwire,
    kinds: ["write", "journal"],
    phases: ["told"],
    options: ["--segment-size", "1M", "--threads", "2"],
    environment: {},
    sent: undefined,
    place: (name) => join(directory, name),
    async digest(name) {
      const path = join(directory, name);
      return existsSync(path) ? await sha256(createReadStream(path)) : undefined;
    },
    orphans: partial,
    async clear() {
      for (const name of await readdir(directory)) await rm(join(directory, name));
    },
    async dropUploads() {
      for (const name of await partial()) await rm(join(directory, name));
    },
    async [Symbol.asyncDispose]() {
      tripwire.close();
    },
  };
}

/** `write`: a change of the half-written file; `journal`: of the journal; `publish`: the final name has come. */
function watchFiles(directory: string, state: string): Tripwire & { close(): void } {
  let moment: Moment | undefined;
  let kill: () => void = () => {};
  let counts: Record<string, number> = {};
  const happened = (kind: string): void => {
    const nth = (counts[kind] ?? 0) + 1;
    counts[kind] = nth;
    if (moment?.kind !== kind || moment.nth !== nth) return;
    moment = undefined;
    kill();
  };
  const watchers: FSWatcher[] = [
    watch(directory, (_, name) => happened(name?.startsWith(".") ? "write" : "publish")),
    watch(state, (_, name) => happened(name?.endsWith(".journal") ? "journal" : "lock")),
  ];
  return {
    get counts() {
      return counts;
    },
    arm(next, fire) {
      counts = {};
      moment = next;
      kill = fire;
    },
    async quiet() {},
    close() {
      for (const watcher of watchers) watcher.close();
    },
  };
}
