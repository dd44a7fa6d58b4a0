/** One call of this dialect, with all that its answer may need. */
import type { Caller } from "../../service/caller.ts";
import type { Service } from "../../service/service.ts";

export interface Asked {
  readonly caller: Caller;
  readonly service: Service;
  readonly path: string;
  /** Of the path. */
  readonly parameters: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  /** The fields of the body. @throws Fault USAGE when it has none. */
  body(): Promise<Readonly<Record<string, unknown>>>;
  /** Fires when nobody waits for the answer any more. */
  readonly signal: AbortSignal;
}
