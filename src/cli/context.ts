/** What every command is given. */

import type { Credentials } from "../engine/credentials.ts";
import type { Places } from "../engine/places.ts";
import type { Producer } from "../transfer/job.ts";

export interface EngineOptions {
  /** Path of the configuration file; absent: the user's own, if any. */
  readonly config?: string;
  readonly threads?: number;
}

/** The wired engine. Threads start when the first job needs them. */
export interface Engine extends AsyncDisposable {
  readonly places: Places;
  readonly credentials: Credentials;
  readonly producer: Producer & { readonly threads: number };
  readonly stateDirectory: string;
}

export interface CliContext {
  readonly stdin: NodeJS.ReadStream;
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
  /** Fires on SIGINT and SIGTERM. */
  readonly signal: AbortSignal;
  /** Loads the engine; kept out of the start of the program, so that `--version` and `--help` are quick. */
  engine(options: EngineOptions): Promise<Engine>;
}
