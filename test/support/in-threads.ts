/** Runs a module's text in several threads at once. */
import { once } from "node:events";
import { Worker } from "node:worker_threads";

/** What each of `count` threads posts. @param script text of a module that posts one message. */
export function inThreads(count: number, script: string): Promise<unknown[]> {
  const url = new URL(`data:text/javascript,${encodeURIComponent(script)}`);
  return Promise.all(
    Array.from({ length: count }, async () => {
      const worker = new Worker(url, { execArgv: [] });
      const [answer] = await once(worker, "message");
      await worker.terminate();
      return answer;
    }),
  );
}
