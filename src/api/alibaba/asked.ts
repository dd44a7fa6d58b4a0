/** What has been asked, and how an action answers it. */
import type { Caller } from "../../service/caller.ts";
import type { Service } from "../../service/service.ts";
import type { AccessKey } from "../access-key.ts";
import type { Fields } from "./envelope.ts";
import type { Parameters } from "./parameters.ts";
import type { Refusals } from "./refused.ts";

export interface Asked {
  readonly caller: Caller;
  readonly key: AccessKey;
  readonly parameters: Parameters;
  readonly service: Service;
  /** As the client wrote it. */
  readonly host: string;
  /** Milliseconds since 1970. */
  readonly now: number;
  readonly signal: AbortSignal;
}

export interface Action {
  readonly name: string;
  readonly refusals: Refusals;
  /** @throws a refusal */
  answer(asked: Asked): Promise<Fields>;
}
