/** One thing that is measured: what we do, what others do for the same result, and what is aimed at. */
import type { Images } from "../images.ts";
import type { Program } from "./programs.ts";
import type { SwiftAccount } from "./swift-account.ts";

export interface Command {
  /** A program of this machine, or the build of diskferry that is measured. */
  readonly program: Program | "diskferry";
  readonly args: readonly string[];
  /** Added to an environment without any credentials. */
  readonly env?: Readonly<Record<string, string>>;
}

/** One way to reach the result: commands that run one after the other. */
export interface Side {
  readonly name: string;
  readonly commands: readonly Command[];
  /** Path that a command leaves and the next one reads. Removed before and after each run. */
  readonly between?: string;
  /** Path of the file that results. Removed before and after each run; its size is noted. */
  readonly output?: string;
}

export interface Pair {
  readonly ours: Side;
  /** The best of them is what we are compared with. Empty: nobody else can do it in sensible time. */
  readonly theirs: readonly Side[];
  /** What the best of theirs is best at. */
  readonly by: "wall" | "cpu";
  /** Done before each run, and not measured. */
  readonly clear?: () => Promise<void>;
  /** Our side does this many times the work of theirs; 1 unless given. */
  readonly times?: number;
  /** Bytes that each side uploads, where that is the same for all. */
  readonly uploaded?: number;
}

/**
 * speed: their wall time by ours. cpu: our CPU seconds by theirs. size: our output's bytes by theirs.
 * seconds: our wall time.
 */
export type Measure = "speed" | "cpu" | "size" | "seconds";

export interface Target {
  readonly measure: Measure;
  readonly bound: "at least" | "at most";
  readonly value: number;
}

/** What cases are made from. */
export interface Workshop {
  readonly images: Images;
  /** Directory for outputs, on the file system of the images. */
  readonly scratch: string;
  /** A running Swift; started by the first case that asks. */
  readonly swift: () => Promise<SwiftAccount>;
}

export interface Case {
  /** What `--only` takes. */
  readonly name: string;
  readonly title: string;
  /** Without one of these the case is skipped; a peer that is missing is only left out. */
  readonly needs: readonly (Program | "Swift")[];
  readonly targets: readonly Target[];
  readonly prepare: (workshop: Workshop) => Promise<Pair>;
}

export const faster = (value: number): Target => ({ measure: "speed", bound: "at least", value });
export const within = (seconds: number): Target => ({ measure: "seconds", bound: "at most", value: seconds });
export const largerAtMost = (value: number): Target => ({ measure: "size", bound: "at most", value });
export const cpuAtMost = (value: number): Target => ({ measure: "cpu", bound: "at most", value });

export function diskferry(args: readonly string[], env: Readonly<Record<string, string>> = {}): Command {
  return { program: "diskferry", args, env };
}
