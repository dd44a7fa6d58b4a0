/** Runs tasks that each handle a known number of bytes, and prints what they reach. */
import { Bench } from "tinybench";
import { GiB, MiB } from "../../src/bytes/units.ts";

export interface Task {
  readonly name: string;
  /** Bytes of one run. */
  readonly bytes: number;
  readonly run: () => void | Promise<void>;
}

/** One line per task: the best and the median run. */
export async function throughput(title: string, tasks: readonly Task[]): Promise<void> {
  const bench = new Bench({ time: 500, iterations: 5, warmup: true, warmupTime: 200, warmupIterations: 2 });
  for (const { name, run } of tasks) bench.add(name, run);
  await bench.run();
  console.log(title);
  console.table(
    Object.fromEntries(
      tasks.map(({ name, bytes }) => {
        const result = bench.getTask(name)?.result;
        if (result === undefined || !("latency" in result)) return [name, {}];
        const rate = (milliseconds: number, unit: number) =>
          (bytes / unit / (milliseconds / 1000)).toFixed(2);
        const { min, p50 } = result.latency;
        return [
          name,
          {
            "best GiB/s": rate(min, GiB),
            "median GiB/s": rate(p50 ?? min, GiB),
            "median MiB/s": rate(p50 ?? min, MiB),
          },
        ];
      }),
    ),
  );
}
