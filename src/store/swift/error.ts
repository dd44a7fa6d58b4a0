/** What a refusing reply of Swift means, and what to do about it. */
import { Fault } from "../../fault/fault.ts";
import { statusFault } from "../../net/http.ts";

const ADVICE: Readonly<Record<number, string>> = {
  401: "the token was refused or has expired",
  403: "the account may not do this: ask for a role or an ACL that allows it",
  409: "a newer write to it was there first",
  413: "too large for the store or over a quota: free space, or have the quota or limit raised",
  422: "the bytes do not have the checksum that was promised",
  429: "too many requests: use fewer lanes",
  497: "the account is blocked by the store's rate limits",
  498: "over the store's rate limit: use fewer lanes, or have the limit raised",
  503: "the store cannot serve this now, or its disks are full",
  507: "the store's disks are full: free space",
};

/** `what` names the container and object, and what was asked of them. `body` is the reply's, of any kind. */
export function swiftFault(
  status: number,
  headers: Readonly<Record<string, string>>,
  body: string,
  what: string,
): Fault {
  const plain = statusFault(status, headers, what);
  const place = headers["location"];
  const advice =
    status >= 300 && status < 400
      ? `the server redirects${place !== undefined && URL.canParse(place) ? ` to ${new URL(place).origin}` : ""}; set the storage URL to the right one`
      : ADVICE[status];
  const said = oneLine(body);
  return new Fault(
    status === 497 ? "PERMISSION" : plain.code,
    `${plain.message}${advice === undefined ? "" : `: ${advice}`}${said === "" ? "" : ` ("${said}")`}`,
    {
      details: plain.details,
      ...(plain.retryAfterMs === undefined ? {} : { retryAfterMs: plain.retryAfterMs }),
    },
  );
}

/** A short reply as one line without markup; Swift's own are a sentence in HTML. */
export function oneLine(body: string): string {
  const line = body
    .replace(/<[^>]*>/g, " ")
    .replace(/[\s\p{Cc}]+/gu, " ")
    .trim();
  return line.length > 200 ? `${line.slice(0, 200)}…` : line;
}
