import { createHash } from "node:crypto";
import AliOss from "ali-oss";
import { describe, expect, test } from "vitest";
import { encodeKey, encodeQuery, presignQuery, signHeaders } from "../../../src/store/oss/sign.ts";
import { type StrictOss, startStrictOss, TEST_ACCOUNT } from "../../support/oss/server.ts";

const scope = { region: "cn-hangzhou", ...TEST_ACCOUNT };
const now = new Date("2026-03-04T05:06:07.890Z");

function ali(securityToken?: string): AliOss {
  return new AliOss({
    region: "oss-cn-hangzhou",
    accessKeyId: scope.accessKeyId,
    accessKeySecret: scope.accessKeySecret,
    bucket: "images",
    authorizationV4: true,
    ...(securityToken === undefined ? {} : { stsToken: securityToken }),
  });
}

const SUBJECTS = [
  { method: "GET", key: "plain", query: {}, headers: {} },
  { method: "PUT", key: "a b/ü(1)!*'+~/日本", query: { partNumber: "7", uploadId: "AB+/=" }, headers: {} },
  { method: "POST", key: "x", query: { uploads: "" }, headers: { "content-type": "application/xml" } },
  {
    method: "POST",
    key: "x",
    query: { uploadId: "A&B" },
    headers: {
      "content-md5": "abc==",
      "content-type": " text/plain ",
      "x-oss-meta-z": "1",
      "x-oss-meta-a": "2",
    },
  },
  { method: "GET", key: "", query: { uploads: "", prefix: "a/ b", "max-uploads": "10" }, headers: {} },
  {
    method: "GET",
    key: "x",
    query: {},
    headers: { range: "bytes=0-1", host: "h" },
    additional: ["Range", "host"],
  },
] as const;

describe("header signatures", () => {
  test.each(SUBJECTS)("are those of Alibaba's own client: $method $key $query", (subject) => {
    const headers = signHeaders({ bucket: "images", ...subject }, scope, now);
    expect(headers["x-oss-date"]).toBe("20260304T050607Z");
    const { authorization, ...rest } = headers;
    const query = Object.fromEntries(Object.entries(subject.query).map(([k, v]) => [k, v === "" ? null : v]));
    const additional = "additional" in subject ? subject.additional : [];
    const request = { headers: rest, queries: query };
    expect(authorization).toBe(
      ali().authorizationV4(subject.method, request, "images", subject.key, additional),
    );
  });

  test("cover the security token", () => {
    const subject = { bucket: "images", method: "GET", key: "x", query: {}, headers: {} };
    const { authorization, ...headers } = signHeaders(subject, { ...scope, securityToken: "tok/en" }, now);
    expect(headers["x-oss-security-token"]).toBe("tok/en");
    expect(authorization).toBe(ali().authorizationV4("GET", { headers, queries: {} }, "images", "x", []));
  });
});

describe("signed URLs", () => {
  test.each([
    { additional: undefined, headers: {} },
    { additional: ["if-match"], headers: { "if-match": '"E"' } },
    { additional: undefined, headers: { "x-oss-traffic-limit": "245760" } },
  ])("are those of Alibaba's own client: $headers $additional", async ({ additional, headers }) => {
    const url = new URL(
      await ali().signatureUrlV4("GET", 77, { headers, queries: { versionId: "v 1" } }, "a b/c", additional),
    );
    const date = url.searchParams.get("x-oss-date") ?? "";
    const then = new Date(date.replace(/^(....)(..)(.....)(..)(.*)$/, "$1-$2-$3:$4:$5"));
    const subject = { bucket: "images", method: "GET", key: "a b/c", query: { versionId: "v 1" }, headers };
    const query = presignQuery(
      additional === undefined ? subject : { ...subject, additional },
      scope,
      then,
      77,
    );
    expect(query).toEqual(Object.fromEntries(url.searchParams));
  });
});

test("names sort by their own bytes, not by what follows them", () => {
  expect(encodeQuery({ "a-b": "1", a: "2", B: "" })).toBe("B&a=2&a-b=1");
  expect(encodeKey("a b/(c)")).toBe("a%20b/%28c%29");
});

/** One signed request that the server takes, in the pieces that may be tampered with. */
interface Pieces {
  method: string;
  path: string;
  query: Record<string, string>;
  headers: Record<string, string>;
}

async function send(server: StrictOss, pieces: Pieces): Promise<string> {
  const url = `http://localhost:${server.port}/${encodeKey(pieces.path)}?${encodeQuery(pieces.query)}`;
  const reply = await fetch(url, { method: pieces.method, headers: pieces.headers, body: "bytes" });
  const text = await reply.text();
  return reply.ok ? "taken" : (/<Code>(\w+)</.exec(text)?.[1] ?? `status ${reply.status}`);
}

const sts = { ...scope, securityToken: "token" };
const headers = {
  "content-type": "text/plain",
  "content-md5": createHash("md5").update("bytes").digest("base64"),
  "x-oss-meta-a": "1",
  "cache-control": "no-store",
};

function headerSigned(): Pieces {
  const query = { "x-oss-traffic-limit": "245760" };
  const subject = {
    method: "PUT",
    bucket: "images",
    key: "a b",
    query,
    headers,
    additional: ["cache-control"],
  };
  return { method: "PUT", path: "images/a b", query, headers: signHeaders(subject, sts, new Date()) };
}

function urlSigned(): Pieces {
  const query = { "x-oss-traffic-limit": "245760" };
  const subject = {
    method: "PUT",
    bucket: "images",
    key: "a b",
    query,
    headers,
    additional: ["cache-control"],
  };
  return { method: "PUT", path: "images/a b", query: presignQuery(subject, sts, new Date(), 600), headers };
}

const flip = (text: string) => text.slice(0, -1) + (text.endsWith("0") ? "1" : "0");

describe("the strict stand-in refuses a signed request when", () => {
  const account = { ...TEST_ACCOUNT, securityToken: "token" };
  const buckets = ["images", "other-images"];

  test("nothing is changed: it takes it", async () => {
    await using server = await startStrictOss({ accounts: [account], buckets });
    expect(await send(server, headerSigned())).toBe("taken");
    expect(await send(server, urlSigned())).toBe("taken");
  });

  const authorization = (change: (text: string) => string) => (pieces: Pieces) => {
    pieces.headers["authorization"] = change(pieces.headers["authorization"] ?? "");
  };
  const CHANGES: readonly (readonly [string, (pieces: Pieces) => void, string])[] = [
    [
      "the object's name",
      (p) => {
        p.path = "images/a c";
      },
      "SignatureDoesNotMatch",
    ],
    [
      "the bucket",
      (p) => {
        p.path = "other-images/a b";
      },
      "SignatureDoesNotMatch",
    ],
    [
      "the method",
      (p) => {
        p.method = "POST";
      },
      "SignatureDoesNotMatch",
    ],
    [
      "a parameter's value",
      (p) => {
        p.query["x-oss-traffic-limit"] = "838860800";
      },
      "SignatureDoesNotMatch",
    ],
    [
      "a further parameter",
      (p) => {
        p.query["acl"] = "";
      },
      "SignatureDoesNotMatch",
    ],
    [
      "the content type",
      (p) => {
        p.headers["content-type"] = "text/html";
      },
      "SignatureDoesNotMatch",
    ],
    [
      "the content's MD5",
      (p) => {
        p.headers["content-md5"] = "x";
      },
      "SignatureDoesNotMatch",
    ],
    [
      "an x-oss header",
      (p) => {
        p.headers["x-oss-meta-a"] = "2";
      },
      "SignatureDoesNotMatch",
    ],
    [
      "a further x-oss header",
      (p) => {
        p.headers["x-oss-forbid-overwrite"] = "false";
      },
      "SignatureDoesNotMatch",
    ],
    [
      "a header named as signed",
      (p) => {
        p.headers["cache-control"] = "no-cache";
      },
      "SignatureDoesNotMatch",
    ],
  ];
  const IN_HEADER: typeof CHANGES = [
    [
      "the date",
      (p) => {
        p.headers["x-oss-date"] = (p.headers["x-oss-date"] ?? "").replace(/\d(?=Z)/, (d) =>
          String((Number(d) + 1) % 10),
        );
      },
      "SignatureDoesNotMatch",
    ],
    [
      "the payload rule",
      (p) => {
        p.headers["x-oss-content-sha256"] = "x";
      },
      "InvalidArgument",
    ],
    [
      "the token",
      (p) => {
        p.headers["x-oss-security-token"] = "tokem";
      },
      "InvalidSecurityToken",
    ],
    ["the signature", authorization(flip), "SignatureDoesNotMatch"],
    ["the access key", authorization((text) => text.replace("LTAItest", "LTAIbest")), "InvalidAccessKeyId"],
    ["the region", authorization((text) => text.replace("cn-hangzhou", "cn-beijing")), "InvalidArgument"],
    [
      "the list of signed headers",
      authorization((text) => text.replace("cache-control", "host")),
      "SignatureDoesNotMatch",
    ],
  ];
  const IN_URL: typeof CHANGES = [
    [
      "the date",
      (p) => {
        p.query["x-oss-date"] = (p.query["x-oss-date"] ?? "").replace(/\d(?=Z)/, (d) =>
          String((Number(d) + 1) % 10),
        );
      },
      "SignatureDoesNotMatch",
    ],
    [
      "the time it is good for",
      (p) => {
        p.query["x-oss-expires"] = "6000";
      },
      "SignatureDoesNotMatch",
    ],
    [
      "the token",
      (p) => {
        p.query["x-oss-security-token"] = "tokem";
      },
      "InvalidSecurityToken",
    ],
    [
      "the signature",
      (p) => {
        p.query["x-oss-signature"] = flip(p.query["x-oss-signature"] ?? "");
      },
      "SignatureDoesNotMatch",
    ],
    [
      "the access key",
      (p) => {
        p.query["x-oss-credential"] = (p.query["x-oss-credential"] ?? "").replace("test", "best");
      },
      "InvalidAccessKeyId",
    ],
    [
      "the list of signed headers",
      (p) => {
        p.query["x-oss-additional-headers"] = "host";
      },
      "SignatureDoesNotMatch",
    ],
  ];
  const inHeaders = { where: "signed in headers", signed: headerSigned };
  const inUrl = { where: "signed in the URL", signed: urlSigned };
  test.each([
    ...[...CHANGES, ...IN_HEADER].map(([what, change, code]) => ({ ...inHeaders, what, change, code })),
    ...[...CHANGES, ...IN_URL].map(([what, change, code]) => ({ ...inUrl, what, change, code })),
  ])("$what is changed, $where", async ({ signed, change, code }) => {
    await using server = await startStrictOss({ accounts: [account], buckets });
    const pieces = signed();
    pieces.headers = { ...pieces.headers };
    pieces.query = { ...pieces.query };
    change(pieces);
    expect(await send(server, pieces)).toBe(code);
    expect(server.blobs).toBe(0);
  });
});
