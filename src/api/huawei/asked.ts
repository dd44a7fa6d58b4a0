/** One call of this dialect, with all that its answer may need. */
import type { Caller } from "../../service/caller.ts";
import type { Service } from "../../service/service.ts";
import type { AccessKey } from "../access-key.ts";

/** What is known of a call before anybody asks who makes it. */
export interface Seen {
  /** Of the path. */
  readonly parameters: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  /** Where the daemon answers, as the client sees it. */
  readonly origin: string;
}

export interface Asked extends Seen {
  readonly caller: Caller;
  /** Absent: a token has said who asks. */
  readonly key?: AccessKey;
  readonly service: Service;
  readonly body: Uint8Array;
  /** Fires when nobody waits for the answer any more. */
  readonly signal: AbortSignal;
}
