/** Many who watch all tasks, each over a connection of its own, as server-sent events. */
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { Agent, request } from "undici";
import type { MeasuredDaemon } from "./daemon.ts";

export interface Crowd extends AsyncDisposable {
  /** Resolves when each of them has been told so many events more. */
  told(events: number): Promise<void>;
}

export async function watchers({ origin, headers }: MeasuredDaemon, count: number): Promise<Crowd> {
  const dispatcher = new Agent({ connections: count, bodyTimeout: 0 });
  const counts: number[] = Array(count).fill(0);
  let wanted = Number.POSITIVE_INFINITY;
  let missing = count;
  let all = Promise.withResolvers<void>();
  const ends: Promise<void>[] = [];
  for (const [index] of counts.entries()) {
    const { body, statusCode } = await request(`${origin}/v1/events`, {
      headers: headers(index),
      dispatcher,
    });
    if (statusCode !== 200) throw new Error(`watcher ${index}: status ${statusCode}`);
    ends.push(read(index, body).catch(() => {}));
  }

  async function read(index: number, body: Readable): Promise<void> {
    for await (const line of createInterface(body)) {
      if (!line.startsWith("id:")) continue;
      counts[index] = (counts[index] ?? 0) + 1;
      if (counts[index] === wanted) missing -= 1;
      if (missing === 0) all.resolve();
    }
  }

  return {
    async told(events) {
      all = Promise.withResolvers();
      counts.fill(0);
      wanted = events;
      missing = count;
      await all.promise;
    },
    async [Symbol.asyncDispose]() {
      await dispatcher.destroy();
      await Promise.all(ends);
    },
  };
}
