/** How many lanes are in use at a time: as many as the store takes well. */
import pLimit, { type LimitFunction } from "p-limit";
import type { Fault, FaultCode } from "../fault/fault.ts";
import { AdaptiveLanes } from "../flow/adaptive-lanes.ts";
import type { StoreLimits } from "../store/store.ts";

/** What a store says that is given more than it can take. */
const TOO_MUCH: ReadonlySet<FaultCode> = new Set<FaultCode>(["THROTTLED", "STORE_UNAVAILABLE"]);

export interface Pace {
  /** Its concurrency changes on the way. */
  readonly limit: LimitFunction;
  /** A part has landed, when `sent` bytes in all had been sent. */
  landed(sent: number): void;
  /** A part has failed, and is repeated. */
  failed(fault: Fault): void;
}

/** Never more than `most` lanes. The segments of one file wait for each other: there are always as many lanes for them. */
export function paceOf(most: number, { placement }: Pick<StoreLimits, "placement">): Pace {
  if (placement === "offsets") return { limit: pLimit(most), landed() {}, failed() {} };
  const lanes = new AdaptiveLanes(most);
  const limit = pLimit(lanes.lanes);
  return {
    limit,
    landed(sent) {
      lanes.landed(sent, performance.now());
      limit.concurrency = lanes.lanes;
    },
    failed({ code }) {
      if (TOO_MUCH.has(code)) lanes.refused();
      limit.concurrency = lanes.lanes;
    },
  };
}
