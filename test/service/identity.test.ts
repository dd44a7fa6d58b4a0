import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { fingerprint } from "../../src/service/fingerprint.ts";
import { uuidV7 } from "../../src/service/identifier.ts";

describe("identifiers", () => {
  it("are of RFC 9562, version 7 (its example of appendix A.6)", () => {
    const random = Buffer.from("0cc318c4dc0c0c07398f", "hex");
    // rand_a is 0xcc3, rand_b is 0x18c4dc0c0c07398f.
    expect(uuidV7(0x017f22e279b0, random)).toBe("017f22e2-79b0-7cc3-98c4-dc0c0c07398f");
  });

  it("ascend with time", () => {
    const random = (byte: number) => new Uint8Array(10).fill(byte);
    expect(uuidV7(1, random(255)) < uuidV7(2, random(0))).toBe(true);
  });
});

describe("fingerprints", () => {
  it("do not depend on the order of fields", () => {
    expect(fingerprint({ a: 1, b: { d: [1, 2], c: 3 } })).toBe(fingerprint({ b: { c: 3, d: [1, 2] }, a: 1 }));
    expect(fingerprint({ b: 1, a: 2 })).toBe(createHash("sha256").update('{"a":2,"b":1}').digest("hex"));
  });

  it("differ with every value and every order of a list", () => {
    const values = [{ a: 1 }, { a: "1" }, { a: [1] }, { a: [1, 2] }, { a: [2, 1] }, { b: 1 }, {}];
    expect(new Set(values.map(fingerprint)).size).toBe(values.length);
  });
});
