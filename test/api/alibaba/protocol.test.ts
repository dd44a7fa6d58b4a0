/** How requests are signed, told apart, answered and repeated: what all actions share. */
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Nonces } from "../../../src/api/alibaba/nonces.ts";
import { sha256, signatureV1, signatureV3 } from "../../../src/api/alibaba/signature.ts";
import { Fault } from "../../../src/fault/fault.ts";
import { ROOT } from "../../service/world.ts";
import { type Alibaba, ANN_KEY, alibaba, COPY, EXPORT, IMPORT, type Params, signed } from "./alibaba.ts";

let ali: Alibaba;
beforeEach(async () => {
  ali = await alibaba();
});
afterEach(() => ali[Symbol.asyncDispose]());

/** The example of Alibaba's own description of the signature. */
const EXAMPLE = {
  Timestamp: "2016-02-23T12:46:24Z",
  Format: "XML",
  AccessKeyId: "testid",
  Action: "DescribeRegions",
  SignatureMethod: "HMAC-SHA1",
  SignatureNonce: "3ee8c1b8-83d3-44af-a94f-4e0ad82fd6cf",
  Version: "2014-05-26",
  SignatureVersion: "1.0",
};
const SIGNATURE = "OLeaidS1JvxuMvnyHOwuJ+uX5qY=";

const codeOf = async (reply: Response) => {
  const { Code } = (await reply.json()) as { Code?: string };
  return [reply.status, Code];
};
const said = (params: Params, key = ANN_KEY) =>
  ali.text({ Action: "DescribeRegions", Format: "JSON", ...params }, key).then(codeOf);

describe("a signature of V1", () => {
  it("WR-4 is that of the document's example", () => {
    expect(signatureV1("GET", Object.entries(EXAMPLE), "testsecret")).toBe(SIGNATURE);
  });

  it("WR-4 WR-E5 of the document's example is taken over the wire, at its time, and once", async () => {
    ali.here.world.time = Date.parse(EXAMPLE.Timestamp);
    const query = new URLSearchParams({ ...EXAMPLE, Signature: SIGNATURE }).toString();
    const reply = await fetch(`${ali.here.url}/?${query}`);
    expect(reply.status).toBe(200);
    expect(await reply.text()).toContain("<DescribeRegionsResponse><RequestId>");
    expect(await (await fetch(`${ali.here.url}/?${query}`)).text()).toContain(
      "<Code>SignatureNonceUsed</Code>",
    );
  });

  it("WR-4 covers whatever stands in query or form, however it is written", async () => {
    const odd = { DestinationDescription: "a b+c*d~e'(f)!ü/&=%", "Tag.1.Key": "k", "Tag.1.Value": "" };
    expect((await ali.text({ Action: "CopyImage", ...COPY, ...odd }, ANN_KEY, "POST")).status).toBe(200);
    expect(await said({ AcceptLanguage: "" })).toEqual([200, undefined]);
  });

  it("D11 that is wrong is refused, and so is a parameter that came later", async () => {
    expect(await said({}, { ...ANN_KEY, secret: "guessed-secret" })).toEqual([400, "SignatureDoesNotMatch"]);
    const params = signed(ali.here, { Action: "DescribeRegions", Format: "JSON" }, ANN_KEY, "GET");
    const query = new URLSearchParams({ ...params, AcceptLanguage: "en-US" });
    expect(await codeOf(await fetch(`${ali.here.url}/?${query}`))).toEqual([400, "SignatureDoesNotMatch"]);
  });

  it.each([
    ["WR-E4", "InvalidAccessKeyId.NotFound", { AccessKeyId: "nobody" }],
    ["WR-E3", "IncompleteSignature", { AccessKeyId: undefined }],
    ["WR-E3", "IncompleteSignature", { SignatureNonce: undefined }],
    ["WR-E3", "IncompleteSignature", { SignatureNonce: "n".repeat(129) }],
    ["WR-E3", "IncompleteSignature", { SignatureMethod: "HMAC-MD5" }],
    ["WR-E3", "IncompleteSignature", { SignatureVersion: undefined }],
    ["WR-E2", "IllegalTimestamp", { Timestamp: undefined }],
    ["WR-E2", "IllegalTimestamp", { Timestamp: "yesterday" }],
    ["WR-E8", "InvalidParameter", { Version: "2013-01-10" }],
    ["WR-E8", "InvalidParameter", { acceptlanguage: "zh-CN", AcceptLanguage: "en-US" }],
    ["EX-1 IM-1", "MissingParameter", { Action: undefined }],
  ] as const)("%s %s meets %o", async (_, code, params) => {
    expect(await said(params)).toEqual([400, code]);
  });

  it("WR-E2 is taken within a quarter of an hour of our clock, and not beyond", async () => {
    const at = (ms: number) => `${new Date(ali.here.world.time + ms).toISOString().slice(0, 19)}Z`;
    const minutes = 60_000;
    expect(await said({ Timestamp: at(14 * minutes) })).toEqual([200, undefined]);
    expect(await said({ Timestamp: at(-14 * minutes) })).toEqual([200, undefined]);
    expect(await said({ Timestamp: at(16 * minutes) })).toEqual([400, "IllegalTimestamp"]);
    expect(await said({ Timestamp: at(-16 * minutes) })).toEqual([400, "IllegalTimestamp"]);
  });

  it("WR-E5 counts once, and no stranger uses up what others may say", async () => {
    const SignatureNonce = "once";
    expect(await said({ SignatureNonce }, { ...ANN_KEY, secret: "guessed-secret" })).toEqual([
      400,
      "SignatureDoesNotMatch",
    ]);
    expect(await said({ SignatureNonce })).toEqual([200, undefined]);
    expect(await said({ SignatureNonce })).toEqual([400, "SignatureNonceUsed"]);
  });

  it("WR-E11 of a disabled key is refused", async () => {
    const disabled = { ...ANN_KEY, state: "disabled" } as const;
    await using other = await alibaba({ keys: [disabled] });
    const reply = await other.ask("DescribeRegions");
    expect([reply.status, reply.body.Code]).toEqual([403, "Forbidden.AccessKeyDisabled"]);
  });
});

describe("a signature of V3", () => {
  const v3 = async (
    change: { readonly headers?: Params; readonly body?: string; readonly secret?: string } = {},
  ) => {
    const { host } = new URL(ali.here.url);
    const form = "AcceptLanguage=en-US";
    const headers: Record<string, string> = {
      host,
      "x-acs-action": "DescribeRegions",
      "x-acs-version": "2014-05-26",
      "x-acs-date": `${new Date(ali.here.world.time).toISOString().slice(0, 19)}Z`,
      "x-acs-signature-nonce": "nonce-1",
      "x-acs-content-sha256": sha256(form),
      "content-type": "application/x-www-form-urlencoded",
    };
    const names = Object.keys(headers).sort();
    const signature = signatureV3(
      {
        method: "POST",
        path: "/",
        query: [["Filter", "a*b"]],
        headers: names.map((name) => [name, headers[name] ?? ""] as const),
        bodyHash: sha256(form),
      },
      change.secret ?? ANN_KEY.secret,
    );
    const authorization = `ACS3-HMAC-SHA256 Credential=${ANN_KEY.id},SignedHeaders=${names.join(";")},Signature=${signature}`;
    const all = Object.entries({ ...headers, authorization, accept: "application/json", ...change.headers });
    return fetch(`${ali.here.url}/?Filter=a*b`, {
      method: "POST",
      headers: all.filter((pair): pair is [string, string] => pair[1] !== undefined && pair[0] !== "host"),
      body: change.body ?? form,
    });
  };

  it("WR-5 WR-E5 covers query, headers and body; a bare star is signed as it is encoded", async () => {
    const reply = await v3();
    expect(reply.status).toBe(200);
    expect(reply.headers.get("content-type")).toBe("application/json;charset=utf-8");
    expect(await codeOf(await v3())).toEqual([400, "SignatureNonceUsed"]);
  });

  it.each([
    ["another body", { body: "AcceptLanguage=ja" }],
    ["a body with its own hash", { body: "a=b", headers: { "x-acs-content-sha256": sha256("a=b") } }],
    ["another action", { headers: { "x-acs-action": "DeleteImage" } }],
    ["another secret", { secret: "guessed" }],
  ])("D11 WR-5 is wrong for %s", async (_, change) => {
    expect(await codeOf(await v3(change))).toEqual([400, "SignatureDoesNotMatch"]);
  });

  it("WR-5 WR-E3 that leaves out a header, or cannot be read, is incomplete", async () => {
    const signature = "0".repeat(64);
    for (const authorization of [
      "ACS3-HMAC-SHA256",
      `ACS3-HMAC-SHA256 Credential=testid,SignedHeaders=host,Signature=${signature}`,
      `ACS3-HMAC-SHA256 Credential=testid,SignedHeaders=host;x-acs-action;x-acs-version;x-acs-date;x-acs-signature-nonce;x-none,Signature=${signature}`,
    ]) {
      expect(await codeOf(await v3({ headers: { authorization } }))).toEqual([400, "IncompleteSignature"]);
    }
  });
});

describe("nonces", () => {
  it("are kept for their time at least, and not for ever", () => {
    const nonces = new Nonces({ keptMs: 1000, most: 10 });
    expect(nonces.take("k", "a", 0)).toBe("new");
    expect(nonces.take("k", "b", 999)).toBe("new");
    expect(nonces.take("k", "c", 1000)).toBe("new");
    expect(nonces.take("k", "a", 1001)).toBe("used");
    expect(nonces.take("k", "b", 1998)).toBe("used");
    expect(nonces.take("k", "a", 2000)).toBe("new");
    expect(nonces.take("k", "c", 2000)).toBe("used");
    expect(nonces.take("k", "c", 9000)).toBe("new");
  });

  it("are bounded for each key by itself: beyond, nothing is taken unseen", () => {
    const nonces = new Nonces({ keptMs: 1000, most: 2 });
    expect([1, 2, 3].map((n) => nonces.take("k", `${n}`, 0))).toEqual(["new", "new", "full"]);
    expect(nonces.take("other", "1", 0)).toBe("new");
  });
});

describe("an answer", () => {
  it("WR-1 is XML when nothing else is said, and says so in the words that clients know it by", async () => {
    await ali.set.region("east", { localName: `<East> & "more"` });
    const reply = await ali.text({ Action: "DescribeRegions" });
    expect(reply.headers.get("content-type")).toBe("text/xml;charset=utf-8");
    const text = await reply.text();
    expect(text).toMatch(
      /^<\?xml version="1.0" encoding="UTF-8"\?><DescribeRegionsResponse><RequestId>made-\d/,
    );
    expect(text).toContain("<Regions><Region><RegionId>east</RegionId>");
    expect(text).toContain("<LocalName>&lt;East&gt; &amp; &quot;more&quot;</LocalName>");
    expect(text).toContain("</Region><Region><RegionId>west</RegionId>");
  });

  it("WR-2 WR-E9 that refuses names request, host, code and message", async () => {
    const xml = await ali.text({ Action: "NoSuchAction" });
    expect([xml.status, xml.headers.get("content-type")]).toEqual([403, "text/xml;charset=utf-8"]);
    expect(await xml.text()).toMatch(
      /<Error><RequestId>made-\d+<\/RequestId><HostId>127\.0\.0\.1:\d+<\/HostId><Code>InvalidAction<\/Code><Message>[^<]+<\/Message><\/Error>$/,
    );
    const json = await ali.text({ Action: "NoSuchAction", Format: "json" });
    expect(json.headers.get("content-type")).toBe("application/json;charset=utf-8");
    expect(Object.keys((await json.json()) as object)).toEqual(["RequestId", "HostId", "Code", "Message"]);
  });

  it("WR-E14 to what is no request of ECS comes from others", async () => {
    expect((await fetch(`${ali.here.url}/`)).headers.get("content-type")).not.toContain("text/xml");
    const put = await fetch(`${ali.here.url}/?Action=CopyImage&Format=JSON`, { method: "PUT" });
    expect(await codeOf(put)).toEqual([403, "UnsupportedHTTPMethod"]);
  });

  it("never holds the secret, and neither does the log", async () => {
    await ali.ask("CopyImage", COPY);
    await said({ Timestamp: undefined });
    await expect.poll(() => ali.here.log.length).toBeGreaterThan(1);
    expect(JSON.stringify(ali.here.log)).not.toContain(ANN_KEY.secret);
    expect(ali.here.log[0]?.fields).toMatchObject({
      operation: "alibaba CopyImage",
      caller: "ann",
      project: "p1",
    });
  });

  it("to what cannot be read is a refusal", async () => {
    const form = { "content-type": "application/x-www-form-urlencoded" };
    const post = async (body: string) =>
      codeOf(await fetch(`${ali.here.url}/?Format=JSON`, { method: "POST", headers: form, body }));
    expect(await post("Action=%ff%fe&Format=JSON")).toEqual([400, "IncompleteSignature"]);
    expect(await post("%")).toEqual([400, "IncompleteSignature"]);
    const many = Object.fromEntries(Array.from({ length: 1001 }, (_, n) => [`P${n}`, "x"]));
    const refused = await ali.text(many, ANN_KEY, "POST");
    expect([refused.status, (await refused.text()).includes("<Code>InvalidParameter</Code>")]).toEqual([
      400,
      true,
    ]);
    const large = await fetch(`${ali.here.url}/?Action=CopyImage`, {
      method: "POST",
      headers: form,
      body: "a".repeat(1024 ** 2 + 1),
    });
    expect(await large.text()).toContain("<Code>InvalidParameter</Code>");
  });
});

it("whatever is asked, and signed, is answered in good order", async () => {
  const names = [
    "RegionId",
    "ImageId",
    "OssBucket",
    "DestinationImageName",
    "Tag.1.Key",
    "PageNumber",
    "Encrypted",
  ];
  const more = [
    "DiskDeviceMapping.1.OSSBucket",
    "DiskDeviceMapping.1.OSSObject",
    "TaskId",
    "Status",
    "DryRun",
  ];
  const actions = [
    "CopyImage",
    "ImportImage",
    "ExportImage",
    "DescribeImages",
    "DescribeTasks",
    "DeleteImage",
  ];
  const value = fc.oneof(
    fc.constantFrom("east", "image-1", "east-bucket", "true"),
    fc.string({ unit: "binary" }),
  );
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...actions),
      fc.dictionary(fc.oneof(fc.constantFrom(...names, ...more), fc.string({ maxLength: 9 })), value),
      async (Action, given) => {
        const params = Object.fromEntries(
          Object.entries(given).map(([name, said]) => [name.toWellFormed(), said.toWellFormed()]),
        );
        const reply = await ali.text({ ...params, Action, Format: "JSON" }, ANN_KEY, "POST");
        const body = (await reply.json()) as { RequestId?: string; Code?: string };
        expect([500, 503]).not.toContain(reply.status);
        expect(body.RequestId).toBeDefined();
        expect(body.Code === undefined).toBe(reply.status === 200);
        expect(body.Code).not.toBe("SignatureDoesNotMatch");
      },
    ),
    { numRuns: 150 },
  );
});

describe("a client token", () => {
  const ClientToken = "token-1";

  it.each([
    ["CP-12", "CopyImage", COPY, { DestinationImageName: "other" }],
    ["EX-6", "ExportImage", EXPORT, { OssPrefix: "other" }],
    ["WR-3", "ImportImage", IMPORT, { ImageName: "other" }],
  ] as const)(
    "%s WR-3 WR-E1 gives %s its first answer again, and takes no other request",
    async (_, action, params, other) => {
      const first = await ali.ask(action, { ...params, ClientToken });
      const { RequestId, ...answer } = first.body;
      expect(first.status).toBe(200);
      const again = await ali.ask(action, { ...params, ClientToken });
      expect(again.body).toEqual({ ...answer, RequestId: again.body.RequestId });
      expect(again.body.RequestId).not.toBe(RequestId);
      expect(await ali.ask(action, { ...params, ...other, ClientToken })).toMatchObject({
        status: 400,
        body: {
          Code: "IdempotentParameterMismatch",
          Message: "The request is retried with updated parameters.",
        },
      });
      expect((await ali.here.world.service.listTasks(ROOT, {})).total).toBe(1);
    },
  );

  it("WR-3 replays before the state of the account or the image counts, and remembers no refusal", async () => {
    await ali.set.project("p1", { payment: "outstanding" });
    expect((await ali.ask("CopyImage", { ...COPY, ClientToken })).body.Code).toBe("Account.Arrearage");
    await ali.set.project("p1", { payment: "settled" });
    const first = await ali.ask("CopyImage", { ...COPY, ClientToken });
    await ali.set.project("p1", { payment: "outstanding" });
    await ali.set.image("image-1", { status: "UnAvailable" });
    const again = await ali.ask("CopyImage", { ...COPY, ClientToken });
    expect(again.body.ImageId).toBe(first.body.ImageId);
  });

  it("WR-3 is another one in upper case, for another action, in another region, and for another account", async () => {
    const first = await ali.ask("CopyImage", { ...COPY, ClientToken });
    const upper = { ...COPY, DestinationRegionId: "east", ClientToken: "TOKEN-1" };
    expect((await ali.ask("CopyImage", upper)).body.ImageId).not.toBe(first.body.ImageId);
    expect((await ali.ask("ExportImage", { ...EXPORT, ClientToken })).status).toBe(200);
  });

  it("WR-3 makes one of all that come at once", async () => {
    const replies = await Promise.all(
      Array.from({ length: 5 }, () => ali.ask("CopyImage", { ...COPY, ClientToken })),
    );
    expect(new Set(replies.map(({ body }) => body.ImageId)).size).toBe(1);
  });

  it("WR-E1 decides among all that come at once: one is accepted, and is the answer to its own repeats", async () => {
    const names = ["one", "two", "three", "one", "two", "three"];
    const replies = await Promise.all(
      names.map(async (DestinationImageName) => {
        const { body } = await ali.ask("CopyImage", { ...COPY, DestinationImageName, ClientToken });
        return { name: DestinationImageName, said: body.Code ?? body.ImageId };
      }),
    );
    const { tasks } = await ali.here.world.service.listTasks(ROOT, {});
    expect(tasks).toHaveLength(1);
    const made = (await ali.here.world.service.images.list(ROOT, { region: "west" })).entries[0]?.entry;
    expect(replies).toEqual(
      names.map((name) => ({ name, said: name === made?.name ? made.id : "IdempotentParameterMismatch" })),
    );
  });

  it.each([["t".repeat(65)], ["ü"]])("CP-12 EX-6 cannot be %j", async (token) => {
    const { status, body } = await ali.ask("CopyImage", { ...COPY, ClientToken: token });
    expect([status, body.Code]).toEqual([400, "InvalidParameter"]);
  });

  it("is looked at before what the request lacks, and that before what is wrong with it", async () => {
    const code = async (params: Params) => (await ali.ask("CopyImage", { ...COPY, ...params })).body.Code;
    const wrong = { DestinationImageName: "-", RegionId: "north" };
    expect(await code({ ...wrong, ImageId: undefined, ClientToken: "t".repeat(65) })).toBe(
      "InvalidParameter",
    );
    expect(await code({ ...wrong, ImageId: undefined })).toBe("MissingParameter");
    expect(await code(wrong)).toBe("InvalidImageName.Malformed");
    expect(await code({ RegionId: "north" })).toBe("SourceRegion.NotFound");
  });
});

describe("a dry run", () => {
  it.each([
    ["CP-11 D10", "CopyImage", COPY],
    ["D10", "ExportImage", EXPORT],
    ["D10", "ImportImage", IMPORT],
  ] as const)("%s of %s that passes says so in an error, and leaves nothing", async (_, action, params) => {
    expect(await ali.ask(action, { ...params, DryRun: "true" })).toMatchObject({
      status: 400,
      body: { Code: "DryRunOperation" },
    });
    expect((await ali.here.world.service.listTasks(ROOT, {})).total).toBe(0);
    expect((await ali.ask(action, { ...params, DryRun: "false" })).status).toBe(200);
  });

  it("CP-11 D10 meets what the request would meet, quotas included", async () => {
    const { entry } = await ali.here.world.service.projects.get(ROOT, "p1");
    await ali.set.project("p1", { quotas: { ...entry.quotas, images: 0 } });
    expect((await ali.ask("CopyImage", { ...COPY, DryRun: "true" })).body.Code).toBe("QuotaExceed.Image");
    expect((await ali.ask("CopyImage", { ...COPY, DryRun: "perhaps" })).body.Code).toBe("InvalidParameter");
  });
});

describe("what any action may meet", () => {
  const refused = async (Action: string, params: Params) => {
    const reply = await ali.text({ Action, Format: "JSON", ...params });
    const { Code, Message } = (await reply.json()) as { Code?: string; Message?: string };
    return { status: reply.status, Code, Message, again: reply.headers.get("x-acs-retry-after") };
  };

  it("WR-E6 more than it may have at once is throttled", async () => {
    const { entry } = await ali.here.world.service.projects.get(ROOT, "p1");
    await ali.set.project("p1", { quotas: { ...entry.quotas, unfinished: 1 } });
    expect((await ali.ask("CopyImage", COPY)).status).toBe(200);
    expect(await refused("ExportImage", EXPORT)).toEqual({
      status: 400,
      Code: "Throttling",
      Message: "Request was denied due to request throttling.",
      again: null,
    });
  });

  it("WR-E6 is told when to come again, where a store has said so", async () => {
    const error = new Fault("THROTTLED", "slow down", { retryAfterMs: 1500 });
    ali.here.world.failing = error;
    expect((await refused("ExportImage", EXPORT)).again).toBe("2");
  });

  it("WR-E15 an image that changes while its bucket is asked is a conflict, and is left to be asked for again", async () => {
    ali.here.world.meanwhile = () => ali.set.image("image-1", { description: "another" });
    expect(await refused("ExportImage", EXPORT)).toMatchObject({ status: 409, Code: "OperationConflict" });
    expect((await ali.here.world.service.listTasks(ROOT, {})).total).toBe(0);
    delete ali.here.world.meanwhile;
    expect((await refused("ExportImage", EXPORT)).status).toBe(200);
  });

  it("WR-E16 nothing is accepted while the disk of the record is full, and all is again when it is not", async () => {
    const { record } = ali.here.world.file;
    const { accept } = record;
    record.accept = () => Promise.reject(new Fault("NO_SPACE", "record.db: the disk is full"));
    expect(await refused("CopyImage", COPY)).toEqual({
      status: 503,
      Code: "ServiceUnavailable",
      Message: "The request has failed due to a temporary failure of the server.",
      again: null,
    });
    record.accept = accept;
    expect((await refused("CopyImage", COPY)).status).toBe(200);
  });
});
