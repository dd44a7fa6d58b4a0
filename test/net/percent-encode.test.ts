import { expect, it } from "vitest";
import { percentEncode } from "../../src/net/percent-encode.ts";

it("leaves the unreserved characters alone", () => {
  const unreserved = "ABCXYZabcxyz0189-_.~";
  expect(percentEncode(unreserved)).toBe(unreserved);
});

it("encodes every reserved character", () => {
  expect(percentEncode(":/?#[]@")).toBe("%3A%2F%3F%23%5B%5D%40");
  expect(percentEncode("!$&'()*+,;=")).toBe("%21%24%26%27%28%29%2A%2B%2C%3B%3D");
});

it("encodes all else by its bytes in UTF-8, a space and a percent sign too", () => {
  expect(percentEncode('a b%20"\n')).toBe("a%20b%2520%22%0A");
  expect(percentEncode("größer 🦀")).toBe("gr%C3%B6%C3%9Fer%20%F0%9F%A6%80");
});
