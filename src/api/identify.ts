/** Who asks: told by a token or a client certificate. */
import { createHash, timingSafeEqual } from "node:crypto";
import type { TLSSocket } from "node:tls";
import type { Caller } from "../service/caller.ts";
import { type HttpRequest, headerOf } from "./call.ts";

export type Granted = Pick<Caller, "name" | "project" | "role">;

/** Who bears the token. The token itself is nowhere but with him. */
export interface TokenGrant extends Granted {
  /** Of the token, in hex. */
  readonly sha256: string;
}

/** Who holds the key of a certificate that one of our authorities has signed. */
export interface CertificateGrant extends Granted {
  /** `certificate`: this very one, by the SHA-256 of its DER form in hex. `subject`: any with this common name. */
  readonly match:
    | { readonly by: "certificate"; readonly sha256: string }
    | { readonly by: "subject"; readonly commonName: string };
}

export interface Grants {
  readonly tokens: readonly TokenGrant[];
  readonly certificates: readonly CertificateGrant[];
}

/** A request that brings a token is judged by it alone; else its certificate counts. */
export function identifier(grants: Grants): (request: HttpRequest) => Granted | undefined {
  const tokens = grants.tokens.map((grant) => ({ digest: digestBytes(grant.sha256), grant }));
  return (request) => {
    const { authorization, "x-auth-token": openStack } = request.headers;
    if (authorization === undefined && openStack === undefined) {
      return certified(request, grants.certificates);
    }
    const token =
      authorization === undefined
        ? headerOf(request, "x-auth-token")
        : bearerOf(headerOf(request, "authorization"));
    if (token === undefined) return undefined;
    const digest = createHash("sha256").update(token).digest();
    // All of them, so that time tells nothing of which.
    const found = tokens.filter((known) => timingSafeEqual(known.digest, digest));
    return granted(found[0]?.grant);
  };
}

/** @throws TypeError for what is no SHA-256. */
function digestBytes(hex: string): Buffer {
  if (!/^[0-9a-fA-F]{64}$/.test(hex))
    throw new TypeError("a token is configured by its SHA-256: 64 hex digits");
  return Buffer.from(hex, "hex");
}

/** RFC 6750, section 2.1. */
function bearerOf(header: string | undefined): string | undefined {
  return /^Bearer +([A-Za-z0-9\-._~+/]+=*)$/i.exec(header ?? "")?.[1];
}

function certified({ socket }: HttpRequest, grants: readonly CertificateGrant[]): Granted | undefined {
  const { authorized } = socket as Partial<TLSSocket>;
  if (authorized !== true || grants.length === 0) return undefined;
  const { fingerprint256, subject } = (socket as TLSSocket).getPeerCertificate();
  const sha256 = fingerprint256?.replaceAll(":", "").toLowerCase();
  return granted(
    grants.find(({ match }) =>
      match.by === "certificate" ? match.sha256.toLowerCase() === sha256 : match.commonName === subject?.CN,
    ),
  );
}

function granted(grant: Granted | undefined): Granted | undefined {
  if (grant === undefined) return undefined;
  const { name, project, role } = grant;
  return { name, project, role };
}
