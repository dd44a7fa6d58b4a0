import { randomBytes } from "node:crypto";
import { describe, expect, test } from "vitest";
import { Fault } from "../../../src/fault/fault.ts";
import type { OssConfig } from "../../../src/store/oss/config.ts";
import { crcFromDecimal } from "../../../src/store/oss/crc.ts";
import { openOss } from "../../../src/store/oss/destination.ts";
import { ossFault } from "../../../src/store/oss/error.ts";
import { parseXml } from "../../../src/store/oss/xml.ts";
import { sendPart } from "../../support/oss/send.ts";
import { type StrictOss, startStrictOss, TEST_ACCOUNT } from "../../support/oss/server.ts";

const signal = new AbortController().signal;
const location = { bucket: "images", key: "x" };

function open(server: StrictOss, options: Partial<OssConfig> = {}, where = location) {
  const { accessKeyId, accessKeySecret } = TEST_ACCOUNT;
  const base = { region: "cn-hangzhou", accessKeyId, accessKeySecret, endpoint: server.endpoint };
  return openOss({ ...base, addressing: "virtual-host", ...options }, where, signal);
}

const begin = async (server: StrictOss, options: Partial<OssConfig> = {}, where = location) =>
  (await open(server, options, where)).begin({ existing: "replace" }, signal);

describe("a refusal by OSS", () => {
  test.each([
    ["a wrong secret", { accessKeySecret: "wrong" }, "CREDENTIALS", "SignatureDoesNotMatch"],
    ["an unknown access key", { accessKeyId: "LTAIother" }, "CREDENTIALS", "InvalidAccessKeyId"],
    ["a token that is not wanted", { securityToken: "made-up" }, "CREDENTIALS", "InvalidSecurityToken"],
  ] as const)(
    "of %s is a fault that says so once, without retries",
    async (_what, options, code, ossCode) => {
      await using server = await startStrictOss();
      const error = await begin(server, options).catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(Fault);
      expect(error).toMatchObject({ code, details: { ossCode } });
      const { message } = error as Fault;
      expect(message).toMatch(/^oss:\/\/images\/x: /);
      expect(message).not.toMatch(/wrong|LTAI|made-up|\n/);
    },
  );

  test("of an expired token is told once, not asked six times", async () => {
    const account = { ...TEST_ACCOUNT, securityToken: "old", expired: true };
    await using server = await startStrictOss({ accounts: [account] });
    await expect(begin(server, { securityToken: "old" })).rejects.toMatchObject({
      code: "CREDENTIALS_EXPIRED",
      details: { ossCode: "SecurityTokenExpired" },
    });
    expect(server.requests).toBe(1);
  });

  test("of a clock that is off says what to do", async () => {
    await using server = await startStrictOss({ now: () => Date.now() - 16 * 60_000 });
    await expect(begin(server)).rejects.toMatchObject({
      code: "CREDENTIALS",
      message: expect.stringContaining("clock"),
    });
  });

  test("of a bucket that is not there is NOT_FOUND, for uploads and sources", async () => {
    await using server = await startStrictOss();
    const where = { bucket: "nowhere", key: "x" };
    const expected = { code: "NOT_FOUND", details: { ossCode: "NoSuchBucket" } };
    await expect(begin(server, {}, where)).rejects.toMatchObject(expected);
    await expect((await open(server, {}, where)).source(signal)).rejects.toMatchObject(expected);
  });

  test("of parts that are too small says how large they must be", async () => {
    await using server = await startStrictOss();
    const upload = await begin(server);
    const parts = [];
    for (const number of [1, 2]) {
      const part = { number, offset: (number - 1) * 1000, bytes: randomBytes(1000) };
      parts.push(await sendPart(await upload.target({ number }, signal), part, signal));
    }
    await expect(upload.complete(parts, {}, signal)).rejects.toMatchObject({
      code: "STORE_REFUSED",
      message: expect.stringContaining("102400"),
      details: { ossCode: "EntityTooSmall", ec: "0042-00000213" },
    });
  });

  test.each([
    [403, "AccessDenied", "PERMISSION"],
    [403, "UserDisable", "PERMISSION"],
    [409, "FileAlreadyExists", "ALREADY_EXISTS"],
    [400, "InvalidPartOrder", "STORE_PROTOCOL"],
    [400, "InvalidDigest", "CHECKSUM_MISMATCH"],
    [403, "InvalidObjectState", "STORE_REFUSED"],
    [503, "ServerBusy", "THROTTLED"],
    [503, "QpsLimitExceeded", "THROTTLED"],
    [400, "RequestTimeout", "TIMEOUT"],
    [500, "InternalError", "STORE_UNAVAILABLE"],
    [500, "SomethingNew", "STORE_UNAVAILABLE"],
    [400, "SomethingNew", "STORE_REFUSED"],
  ])("with %i %s is %s", (status, ossCode, code) => {
    const text = `<?xml version="1.0"?><Error><Code>${ossCode}</Code><Message>a &lt;b&gt;\n&#x1b;c</Message></Error>`;
    const fault = ossFault({ status, headers: { "x-oss-qos-delay-time": "45" }, text }, "oss://b/k");
    expect(fault).toMatchObject({ code, retryAfterMs: 45, details: { status, ossCode } });
    expect(fault.message).toContain(`oss://b/k: ${ossCode}: a <b> c`);
  });

  test("from another region names the right endpoint", () => {
    const text = "<Error><Code>AccessDenied</Code><Endpoint>oss-cn-beijing.aliyuncs.com</Endpoint></Error>";
    const fault = ossFault({ status: 403, headers: {}, text }, "oss://b/k");
    expect(fault.message).toContain("oss-cn-beijing.aliyuncs.com");
  });

  test.each(["", "<html>busy", "<Error>", "{}"])(
    "without OSS's own words (%j) is what the status says",
    (text) => {
      expect(ossFault({ status: 503, headers: {}, text }, "x").code).toBe("STORE_UNAVAILABLE");
    },
  );
});

describe("a passing failure", () => {
  test.each([
    [
      "throttling",
      { act: "refuse", status: 503, code: "ServerBusy", headers: { "x-oss-qos-delay-time": "3" } },
    ],
    ["an internal error", { act: "refuse", status: 500, code: "InternalError" }],
    ["a connection that breaks before", { act: "cut", when: "before" }],
    ["a connection that breaks after", { act: "cut", when: "after" }],
    ["a connection that breaks within the reply", { act: "cut", when: "within" }],
  ] as const)("(%s) of any control call is ridden out", async (_what, fate) => {
    await using server = await startStrictOss();
    const kinds = ["InitiateMultipartUpload", "ListParts", "HeadObject", "CompleteMultipartUpload"] as const;
    for (const kind of kinds) {
      // Half of a reply without a body is no half.
      if (kind !== "HeadObject" || fate.act !== "cut" || fate.when !== "within")
        server.inject({ kind, fate });
    }
    const upload = await begin(server);
    const bytes = randomBytes(5000);
    const target = await upload.target({ number: 1 }, signal);
    const part = await sendPart(target, { number: 1, offset: 0, bytes }, signal);
    await upload.complete([part], {}, signal);
    expect((await server.read("images", "x")).equals(bytes)).toBe(true);
    for (const kind of kinds.slice(0, 2)) expect(server.count(kind)).toBe(2);
  });

  test("is given up when the caller cancels", async () => {
    await using server = await startStrictOss();
    const fate = { act: "refuse", status: 503, code: "ServerBusy" } as const;
    server.inject({
      kind: "InitiateMultipartUpload",
      fate: { ...fate, headers: { "x-oss-qos-delay-time": "60000" } },
    });
    const destination = await open(server);
    const stop = new AbortController();
    const beginning = destination.begin({ existing: "replace" }, stop.signal);
    await expect.poll(() => server.count("InitiateMultipartUpload")).toBe(1);
    stop.abort(new Fault("CANCELED", "stop"));
    await expect(beginning).rejects.toMatchObject({ code: "CANCELED" });
  });
});

describe("XML from a server", () => {
  test("with a document type is refused unread", () => {
    const bomb =
      '<!DOCTYPE a [<!ENTITY b "bbbbbbbbbb"><!ENTITY c "&b;&b;&b;">]><Error><Code>&c;</Code></Error>';
    expect(() => parseXml(bomb, "x")).toThrowError(/document type/);
  });

  test("has its five entities and character references read once", () => {
    const text = "<A><B>&amp;lt; &quot;&#65;&#x42;&apos; &other; &#x110000;</B></A>";
    expect(parseXml(text, "x")).toEqual({ A: { B: "&lt; \"AB' &other; &#x110000;" } });
  });
});

test("a CRC header that is no 64-bit number is refused", () => {
  expect(crcFromDecimal("18446744073709551615", "x")).toBe("ffffffffffffffff");
  expect(crcFromDecimal("1", "x")).toBe("0000000000000001");
  for (const text of ["18446744073709551616", "-1", "0x1", "", "1.5"]) {
    expect(() => crcFromDecimal(text, "x")).toThrowError(/64-bit/);
  }
});
