import { open, readFile, writeFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { FAULT_CODES, Fault, type FaultCode } from "../../src/fault/fault.ts";

const CODES = Object.keys(FAULT_CODES) as FaultCode[];

describe("a fault", () => {
  it("crosses threads as data and comes back the same", () => {
    for (const code of CODES) {
      const fault = new Fault(code, "x.qcow2: broken", {
        details: { offset: 12, field: "l1", strict: true },
        retryAfterMs: 1500,
        cause: new Error("below"),
      });
      const again = Fault.fromWire(structuredClone(fault.toWire()));
      expect(again).toBeInstanceOf(Fault);
      expect(again.toWire()).toEqual(fault.toWire());
      expect([again.code, again.message, again.retryable]).toEqual([code, fault.message, fault.retryable]);
    }
  });

  it("has a wire form without what it does not have", () => {
    expect(new Fault("IO", "x").toWire()).toEqual({ code: "IO", message: "x", details: {} });
    const again = Fault.fromWire({ code: "IO", message: "x", details: {} });
    expect([again.cause, again.retryAfterMs]).toEqual([undefined, undefined]);
  });

  it("may be repeated only when the cause may pass by itself", () => {
    expect(CODES.filter((code) => new Fault(code, "").retryable).sort()).toEqual([
      "CHECKSUM_MISMATCH",
      "CREDENTIALS_EXPIRED",
      "NETWORK",
      "STORE_UNAVAILABLE",
      "THROTTLED",
      "TIMEOUT",
    ]);
  });
});

describe("whatever was caught", () => {
  it("stays itself when it is a fault", () => {
    const fault = new Fault("THROTTLED", "slow down");
    expect(Fault.from(fault, "doing")).toBe(fault);
  });

  it("is CANCELED when it is an abort, or the fault that it was aborted with", () => {
    const plain = new AbortController();
    plain.abort();
    expect(Fault.from(plain.signal.reason, "reading x")).toMatchObject({
      code: "CANCELED",
      message: "reading x: canceled",
    });
    const reason = new Fault("TIMEOUT", "too late");
    const wrapped = Object.assign(new Error("aborted", { cause: reason }), { name: "AbortError" });
    expect(Fault.from(wrapped, "doing")).toBe(reason);
  });

  it("is TIMEOUT when it is the end of a signal's time", () => {
    const error = new DOMException("The operation timed out", "TimeoutError");
    expect(Fault.from(error, "asking")).toMatchObject({ code: "TIMEOUT", message: "asking: timed out" });
  });

  it.each([
    ["NOT_FOUND", () => readFile("/nowhere/at/all")],
    ["NOT_FOUND", () => readFile("/etc/hostname/inside")],
    ["USAGE", () => open("/tmp", "r+")],
    ["ALREADY_EXISTS", () => open("/dev/null", "wx")],
    ["NO_SPACE", () => writeFile("/dev/full", "x")],
  ] as const)("is %s for what the system says of %s", async (code, work) => {
    const error: unknown = await work().then(
      () => undefined,
      (caught: unknown) => caught,
    );
    const fault = Fault.from(error, "x.raw");
    expect(fault.code).toBe(code);
    expect(fault.message).toMatch(/^x\.raw: [a-z ]+$/);
    expect(fault.details).toEqual({ errno: (error as NodeJS.ErrnoException).code });
    expect(fault.cause).toBe(error);
  });

  it("is INTERNAL when nobody knows it, and keeps it as the cause", () => {
    const error = new TypeError("x is not a function");
    expect(Fault.from(error, "planning")).toMatchObject({
      code: "INTERNAL",
      message: "planning: x is not a function",
      cause: error,
    });
    expect(Fault.from("a text", "planning").message).toBe("planning: a text");
    expect(Fault.from(undefined, "planning").code).toBe("INTERNAL");
  });
});
