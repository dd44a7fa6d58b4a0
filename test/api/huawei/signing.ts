/** A signer of the test's own, written after the published scheme of SDK-HMAC-SHA256. */
import { createHash, createHmac } from "node:crypto";
import { KEY } from "../endpoint.ts";
import { ACTION, UPLOAD } from "./huawei.ts";

export const DATE = "20261122T090000Z";
export const BODY = JSON.stringify({ "os-volume_upload_image": UPLOAD });
const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");

export interface Signing {
  /** Of the endpoint. */
  readonly url: string;
  readonly method?: string;
  readonly path?: string;
  readonly query?: string;
  readonly body?: string;
  readonly date?: string;
  readonly id?: string;
  readonly secret?: string;
  readonly names?: readonly string[];
}

/** The headers of such a request: by default that which exports v-1. */
export function signedHeaders({
  url,
  method = "POST",
  path = ACTION,
  query = "",
  body = BODY,
  date = DATE,
  id = KEY.id,
  secret = KEY.secret,
  names = ["host", "x-project-id", "x-sdk-date"],
}: Signing): Record<string, string> {
  const sent = { "x-project-id": "p1", "x-sdk-date": date };
  const headers: Record<string, string> = { host: new URL(url).host, ...sent };
  const lines = names.map((name) => `${name}:${headers[name]}\n`).join("");
  const canonical = [method, `${path}/`, query, lines, names.join(";"), sha256(body)].join("\n");
  const text = `SDK-HMAC-SHA256\n${date}\n${sha256(canonical)}`;
  const signature = createHmac("sha256", secret).update(text).digest("hex");
  return {
    ...sent,
    authorization: `SDK-HMAC-SHA256 Access=${id}, SignedHeaders=${names.join(";")}, Signature=${signature}`,
  };
}
