/** What a daemon takes: tasks accepted durably in a second, a long queue listed, many who watch, and memory. */
import { formatSize } from "../../src/bytes/units.ts";
import { type MeasuredDaemon, startDaemon } from "./daemon.ts";
import { watchers } from "./watchers.ts";

/** Tasks that are accepted over so many connections at once. */
const ACCEPTS = [
  { connections: 1, tasks: 500 },
  { connections: 8, tasks: 2500 },
  { connections: 64, tasks: 7000 },
] as const;
const PAGES = 200;
const WATCHERS = 200;
/** Tasks that are accepted while they watch. */
const WATCHED = 200;

let accepted = 0;

await using daemon = await startDaemon();
const rows: Record<string, Record<string, string>> = {};
for (const { connections, tasks } of ACCEPTS) {
  rows[`accept, ${connections} at once`] = await accept(daemon, connections, tasks);
}
const all = {};
rows["first page of 200"] = await list(daemon, () => ({ ...all, pageSize: 200 }));
rows["a page in the depth"] = await list(daemon, (n) => ({ start: 5000 + n, limit: 200 }));
rows["a page of one state and region"] = await list(daemon, () => ({
  pageSize: 200,
  states: ["TASK_STATE_QUEUED"],
  region: "east",
}));
rows[`${WATCHERS} watchers`] = await watch(daemon);
console.log(`a daemon with ${accepted} queued tasks`);
console.table(rows);

async function accept(
  { call, connect, cpu, memory }: MeasuredDaemon,
  connections: number,
  tasks: number,
): Promise<Record<string, string>> {
  const pool = connect(connections);
  const times: number[] = [];
  let left = tasks;
  const began = performance.now();
  const before = cpu();
  await Promise.all(
    Array.from({ length: connections }, async () => {
      for (; left > 0; ) {
        left -= 1;
        accepted += 1;
        const name = `disk-${accepted}`;
        const nth = accepted;
        const asked = performance.now();
        await call(pool, nth, "TaskService/ImportImage", {
          region: "east",
          disks: [{ file: { root: "files", path: "disk.raw" }, format: "raw" }],
          image: { name },
          options: { clientToken: name },
        });
        times.push(performance.now() - asked);
      }
    }),
  );
  const seconds = (performance.now() - began) / 1000;
  await pool.close();
  return {
    "per second": (tasks / seconds).toFixed(0),
    "CPU ms each": ((1000 * (cpu() - before)) / tasks).toFixed(2),
    ...latencies(times),
    ...memoryOf(memory()),
  };
}

async function list(
  { call, connect, cpu, memory }: MeasuredDaemon,
  request: (n: number) => unknown,
): Promise<Record<string, string>> {
  const pool = connect(1);
  const times: number[] = [];
  const before = cpu();
  for (let page = 0; page < PAGES; page += 1) {
    const asked = performance.now();
    const { tasks } = (await call(pool, 0, "TaskService/ListTasks", request(page))) as { tasks: unknown[] };
    times.push(performance.now() - asked);
    if (tasks.length !== 200) throw new Error(`a page of ${tasks.length}`);
  }
  await pool.close();
  const mean = times.reduce((sum, time) => sum + time, 0) / times.length;
  return {
    "per second": (1000 / mean).toFixed(0),
    "CPU ms each": ((1000 * (cpu() - before)) / PAGES).toFixed(2),
    ...latencies(times),
    ...memoryOf(memory()),
  };
}

/** @returns how many events the watchers are given in a second, all of them together. */
async function watch(measured: MeasuredDaemon): Promise<Record<string, string>> {
  await using crowd = await watchers(measured, WATCHERS);
  const began = performance.now();
  const told = crowd.told(WATCHED);
  await accept(measured, 8, WATCHED);
  await told;
  const seconds = (performance.now() - began) / 1000;
  return { "per second": ((WATCHERS * WATCHED) / seconds).toFixed(0), ...memoryOf(measured.memory()) };
}

function latencies(times: readonly number[]): Record<string, string> {
  const sorted = times.toSorted((a, b) => a - b);
  const at = (share: number): string => (sorted[Math.floor(share * (sorted.length - 1))] ?? 0).toFixed(1);
  return { "median ms": at(0.5), "99 % ms": at(0.99), "most ms": at(1) };
}

function memoryOf({ now, most }: { readonly now: number; readonly most: number }): Record<string, string> {
  return { memory: formatSize(now), "most memory": formatSize(most) };
}
