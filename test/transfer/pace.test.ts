import { describe, expect, it } from "vitest";
import { Fault, type FaultCode } from "../../src/fault/fault.ts";
import { paceOf } from "../../src/transfer/pace.ts";

const fault = (code: FaultCode): Fault => new Fault(code, "the store said so");

describe("the lanes of a transfer", () => {
  it.each(["THROTTLED", "STORE_UNAVAILABLE"] as const)("fall when a store answers %s", (code) => {
    const pace = paceOf(8, { placement: "parts" });
    const before = pace.limit.concurrency;
    pace.failed(fault(code));
    expect(pace.limit.concurrency).toBe(before / 2);
  });

  it.each(["NETWORK", "CREDENTIALS_EXPIRED", "CHECKSUM_MISMATCH"] as const)(
    "stay as they are after %s",
    (code) => {
      const pace = paceOf(8, { placement: "parts" });
      const before = pace.limit.concurrency;
      pace.failed(fault(code));
      expect(pace.limit.concurrency).toBe(before);
    },
  );

  it("are always the same for a file", () => {
    const pace = paceOf(8, { placement: "offsets" });
    pace.failed(fault("STORE_UNAVAILABLE"));
    for (let part = 1; part <= 100; part += 1) pace.landed(part);
    expect(pace.limit.concurrency).toBe(8);
  });
});
