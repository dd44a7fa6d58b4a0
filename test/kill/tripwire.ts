/** What kills the program at a moment that is counted, not timed. */

export interface Tripwire {
  /** Counts from zero again, and calls `kill` once when the moment has come. */
  arm(moment: Moment | undefined, kill: () => void): void;
  /** Resolves when nothing of a killed run is on its way any more. */
  quiet(): Promise<void>;
  /** How often each kind of thing happened since it was armed. */
  readonly counts: Readonly<Record<string, number>>;
}

export interface Moment {
  /** A kind of request, or of file event. */
  readonly kind: string;
  /** Counted from 1, since the run began. */
  readonly nth: number;
  /**
   * `asked`: the request's head has come, the store knows nothing. `within`: in the middle of its body. `done`: the
   * store has done it, and its reply never reaches the program. `told`: the program has just been sent the reply.
   */
  readonly phase: "asked" | "within" | "done" | "told";
}

export function show(moment: Moment | undefined): string {
  return moment === undefined ? "to its end" : `${moment.phase} ${moment.kind} ${moment.nth}`;
}
