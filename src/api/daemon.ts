/** The daemon that answers: whether it can work, and how it is taken out of service. */

export const DRAIN_STATES = ["working", "draining", "drained"] as const;

export interface DrainStatus {
  readonly state: (typeof DRAIN_STATES)[number];
  /** Tasks that run here. */
  readonly running: number;
}

export interface Daemon {
  /** Why it should be asked nothing now, in a few words; undefined: it is ready. */
  unready(): Promise<string | undefined>;
  /** Starts no further task, and parks what runs. */
  drain(): Promise<DrainStatus>;
  /** Takes up work again. */
  resume(): Promise<DrainStatus>;
}
