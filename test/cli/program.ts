/** Runs the real program as users do, in a home of its own. */
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";

const MAIN = join(import.meta.dirname, "../../src/main.ts");

export interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export type Event = Readonly<Record<string, unknown>> & { readonly event: string };

/** A scratch directory that is also the home, the state and the temporary directory of what runs in it. */
export class Program implements Disposable {
  readonly root = mkdtempSync(join(tmpdir(), "diskferry-cli-"));
  readonly #env: NodeJS.ProcessEnv;

  constructor(env: NodeJS.ProcessEnv = {}) {
    this.#env = {
      PATH: process.env["PATH"],
      HOME: this.root,
      XDG_STATE_HOME: join(this.root, "state"),
      XDG_CONFIG_HOME: join(this.root, "config"),
      TMPDIR: this.root,
      NO_COLOR: "1",
      ...env,
    };
  }

  path(name: string): string {
    return join(this.root, name);
  }

  start(...args: string[]): Running {
    return this.#spawn(process.execPath, [MAIN, ...args]);
  }

  run(...args: string[]): Promise<Ended> {
    return this.start(...args).ended;
  }

  /** Runs what bash makes of `command`, in which "$@" is the program with `args`. */
  runBy(command: string, ...args: string[]): Promise<Ended> {
    return this.#spawn("bash", ["-c", command, "bash", process.execPath, MAIN, ...args]).ended;
  }

  #spawn(command: string, args: readonly string[]): Running {
    return new Running(
      spawn(command, args, { cwd: this.root, env: this.#env, stdio: ["ignore", "pipe", "pipe"] }),
    );
  }

  [Symbol.dispose](): void {
    rmSync(this.root, { recursive: true, force: true });
  }
}

export class Running {
  readonly ended: Promise<Ended>;
  readonly #child: ChildProcessByStdio<null, Readable, Readable>;
  readonly #watchers = new Set<() => void>();
  #stdout = "";
  #stderr = "";

  constructor(child: ChildProcessByStdio<null, Readable, Readable>) {
    this.#child = child;
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      this.#stdout += text;
      for (const look of this.#watchers) look();
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      this.#stderr += text;
      for (const look of this.#watchers) look();
    });
    this.ended = once(child, "close").then(([status]) => ({
      status: status as number | null,
      stdout: this.#stdout,
      stderr: this.#stderr,
    }));
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Resolves when an event that `is` likes has been written; rejects when the program ends without one. */
  until(is: (event: Event) => boolean): Promise<void> {
    // The last line may be cut short still.
    return this.#see(() => events(this.#stdout.slice(0, this.#stdout.lastIndexOf("\n") + 1)).some(is));
  }

  /** Resolves when a text stands in its log; rejects when the program ends without. */
  logged(text: string): Promise<void> {
    return this.#see(() => this.#stderr.includes(text));
  }

  async #see(is: () => boolean): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const look = (): void => {
      if (is()) resolve();
    };
    this.#watchers.add(look);
    look();
    const over = this.ended.then(({ stdout, stderr }) => {
      throw new Error(`the program ended too early: ${stdout}${stderr}`);
    });
    over.catch(() => {});
    await Promise.race([promise, over]);
    this.#watchers.delete(look);
  }
}

/** The JSON lines. */
export function events(stdout: string): Event[] {
  return stdout
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Event);
}
