/** What every command is given. */

import type { Access, AccessOptions } from "../config/access.ts";
import type { DaemonSummary } from "../config/daemon-summary.ts";
import type { Credentials } from "../engine/credentials.ts";
import type { Places } from "../engine/places.ts";
import type { Producer } from "../transfer/job.ts";
import type { Installation } from "./installation.ts";

export interface EngineOptions {
  /** Path of the configuration file; absent: the user's own, if any. */
  readonly config?: string;
  /** Absent: one per core, but no more than segments in flight. */
  readonly threads?: number;
  /** Segments in flight at most. */
  readonly concurrency?: number;
}

/** The wired engine. Threads start when the first job needs them. */
export interface Engine extends AsyncDisposable {
  readonly places: Places;
  readonly credentials: Credentials;
  readonly producer: Producer & { readonly threads: number };
  readonly stateDirectory: string;
}

export interface DaemonOptions {
  /** Path of the configuration file; absent: what is built in. */
  readonly config?: string;
  /** In place of the built-in one; 0: any that is free. */
  readonly port?: number;
  /** Stands for the user's home and holds the state of the built-in settings; absent: the user's own. */
  readonly directory?: string;
  /** Takes the log, where the configuration names no file for it. */
  readonly stderr: { write(line: string): unknown };
}

/** A daemon that works and answers. */
export interface Daemon {
  /** Where it answers. */
  readonly urls: readonly string[];
  readonly stateDirectory: string;
  /** The file with the token of its one caller; absent: callers are configured. */
  readonly accessFile?: string;
  /** Reads key and certificates of the TLS port again; goes on with those it has when they cannot be used, and logs why. */
  reload(): Promise<void>;
  /** Lets running tasks come to a good end or park, and closes. */
  end(): Promise<void>;
}

export interface CliContext {
  readonly stdin: NodeJS.ReadStream;
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
  /** Fires on SIGINT and SIGTERM. */
  readonly signal: AbortSignal;
  readonly installation: Installation;
  /** Calls back at each SIGHUP, which ends the program otherwise. */
  onHangup(reload: () => void): void;
  /** Loads the engine; kept out of the start of the program, so that `--version` and `--help` are quick. */
  engine(options: EngineOptions): Promise<Engine>;
  /** Opens a daemon in this process. */
  daemon(options: DaemonOptions): Promise<Daemon>;
  /** Looks at the settings of a daemon, and opens nothing. */
  checkDaemon(options: DaemonOptions): Promise<DaemonSummary>;
  /** How to reach a daemon, from options, environment and what a daemon of this user has left. */
  access(options: AccessOptions): Promise<Access>;
}
