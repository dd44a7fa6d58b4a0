/** A signed request counts once, whatever becomes of the daemon in between. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { signatureV1 } from "../../../src/api/alibaba/signature.ts";
import { type DaemonHarbour, daemonHarbour, writeConfig } from "../../daemon/harbour.ts";

const KEY = { id: "LTAIdaemon", secret: "secret-of-the-daemon" };

let here: DaemonHarbour;
beforeAll(async () => {
  here = await daemonHarbour(["--config", "daemon.yaml"]);
  writeConfig(here.path, {
    more: `limits: { threads: 1 }
projects: { shop: { aliUid: "1234567890" } }
callers:
  accessKeys:
    - { name: panel, project: shop, role: user, id: ${KEY.id}, secret: ${KEY.secret} }`,
  });
  await here.start();
});
afterAll(() => here?.[Symbol.asyncDispose]());

/** @returns what is sent, for whoever wants to send it once more */
function signed(SignatureNonce: string): string {
  const pairs = Object.entries({
    Action: "DescribeRegions",
    Version: "2014-05-26",
    Format: "JSON",
    AccessKeyId: KEY.id,
    SignatureMethod: "HMAC-SHA1",
    SignatureVersion: "1.0",
    SignatureNonce,
    Timestamp: `${new Date().toISOString().slice(0, 19)}Z`,
  });
  return new URLSearchParams([...pairs, ["Signature", signatureV1("GET", pairs, KEY.secret)]]).toString();
}

async function codeOf(query: string): Promise<unknown> {
  const reply = await fetch(`${here.url}/?${query}`);
  const { Code = "none" } = (await reply.json()) as { Code?: string };
  return [reply.status, Code];
}

it.each(["SIGKILL", "SIGTERM"] as const)(
  "WR-E5 also when the daemon ends by %s and starts again",
  async (end) => {
    const query = signed(`before-${end}`);
    expect(await codeOf(query)).toEqual([200, "none"]);
    here.daemon.kill(end);
    await here.daemon.ended;
    await here.start();
    expect(await codeOf(query)).toEqual([400, "SignatureNonceUsed"]);
    const next = signed(`after-${end}`);
    expect(await codeOf(next)).toEqual([200, "none"]);
    expect(await codeOf(next)).toEqual([400, "SignatureNonceUsed"]);
  },
);
