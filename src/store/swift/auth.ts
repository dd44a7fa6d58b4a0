/** Logging in: TempAuth v1 or Keystone v3, one token shared by all, renewed once for however many ask. */
import { Fault } from "../../fault/fault.ts";
import { withDeadline } from "../../flow/deadline.ts";
import { DEFAULT_RETRY, withRetry } from "../../flow/retry.ts";
import { discardBody, type HttpReply, http, readText, statusFault } from "../../net/http.ts";
import type { SwiftConfig, SwiftLogin } from "./config.ts";
import { SingleFlight } from "./single-flight.ts";

/** Leave to use one account for a while. */
export interface Grant {
  /** Never shown. */
  readonly token: string;
  /** Without a slash at the end. */
  readonly storageUrl: string;
  /** Milliseconds since the epoch, where the server says. */
  readonly expiresAt?: number;
}

const LOGIN_MS = 60_000;
/** A token is renewed when less than this is left, or less than a fifth of the life it was given. */
const MARGIN_MS = 60_000;

export class SwiftAuth {
  readonly #config: SwiftConfig;
  readonly #ca: string | undefined;
  readonly #now: () => number;
  #grant: Grant | undefined;
  /** When to ask for a successor of #grant; Infinity when asking early yields nothing. */
  #renewAt = Number.POSITIVE_INFINITY;
  readonly #login = new SingleFlight<Grant>();

  /** `ca`: PEM text. `now`: milliseconds since the epoch. */
  constructor(config: SwiftConfig, ca: string | undefined, now: () => number = Date.now) {
    this.#config = config;
    this.#ca = ca;
    this.#now = now;
  }

  /**
   * A token that is good now, as far as its issuer said.
   * @throws Fault CREDENTIALS, NOT_FOUND (no such region), STORE_REFUSED, NETWORK and its kin.
   */
  async grant(signal: AbortSignal): Promise<Grant> {
    const current = this.#grant;
    if (current !== undefined && this.#now() < this.#renewAt) return current;
    return await this.#login.join(() => this.#freshGrant(), signal);
  }

  /** Called with a token that was refused: gets another, unless somebody else has got it already. */
  async refresh(refused: string, signal: AbortSignal): Promise<void> {
    if (this.#grant !== undefined && this.#grant.token !== refused) return;
    await this.#login.join(() => this.#freshGrant(), signal);
  }

  async #freshGrant(): Promise<Grant> {
    const { login } = this.#config;
    const what = `Swift: logging in at ${"authUrl" in login ? new URL(login.authUrl).origin : "no server"}`;
    const grant = await withDeadline(what, LOGIN_MS, new AbortController().signal, (signal) =>
      withRetry(what, DEFAULT_RETRY, () => this.#ask(what, login, signal), signal),
    );
    // TempAuth gives the same token to everyone until it expires: asking for it early again gains nothing.
    const same = grant.token === this.#grant?.token;
    this.#grant = grant;
    const left = grant.expiresAt === undefined ? Number.POSITIVE_INFINITY : grant.expiresAt - this.#now();
    this.#renewAt = this.#now() + left - (same ? 0 : Math.min(MARGIN_MS, left / 5));
    return grant;
  }

  async #ask(what: string, login: SwiftLogin, signal: AbortSignal): Promise<Grant> {
    switch (login.kind) {
      case "v1":
        return await this.#v1(what, login, signal);
      case "v3-password":
      case "v3-application-credential":
        return await this.#v3(what, login, signal);
      case "token":
        if (this.#grant !== undefined) {
          throw new Fault(
            "CREDENTIALS",
            "Swift: the token was refused and there is no password to renew it: get another",
          );
        }
        return { token: login.token, storageUrl: this.#storageUrl(undefined) };
    }
  }

  async #v1(what: string, login: SwiftLogin & { kind: "v1" }, signal: AbortSignal): Promise<Grant> {
    const reply = await this.#send(
      { method: "GET", url: login.authUrl, headers: { "x-auth-user": login.user, "x-auth-key": login.key } },
      what,
      signal,
    );
    await discardBody(reply);
    refuseLogin(reply, what, `the user "${login.user}"`);
    const token = reply.headers["x-auth-token"] ?? reply.headers["x-storage-token"];
    if (token === undefined) throw new Fault("STORE_PROTOCOL", `${what}: the reply has no x-auth-token`);
    const seconds = Number(reply.headers["x-auth-token-expires"] ?? Number.NaN);
    return {
      token,
      storageUrl: this.#storageUrl(reply.headers["x-storage-url"], login.authUrl),
      ...(Number.isFinite(seconds) ? { expiresAt: this.#now() + seconds * 1000 } : {}),
    };
  }

  async #v3(
    what: string,
    login: SwiftLogin & { kind: "v3-password" | "v3-application-credential" },
    signal: AbortSignal,
  ): Promise<Grant> {
    const base = login.authUrl.replace(/\/+$/, "");
    const reply = await this.#send(
      {
        method: "POST",
        url: `${/\/v3$/.test(base) ? base : `${base}/v3`}/auth/tokens`,
        headers: { "content-type": "application/json", accept: "application/json" },
        body: JSON.stringify(v3Request(login)),
      },
      what,
      signal,
    );
    const body = await readText(reply, 4 * 1024 * 1024, what);
    refuseLogin(
      reply,
      what,
      login.kind === "v3-password" ? `the user "${label(login.user)}"` : "the application credential",
    );
    const token = reply.headers["x-subject-token"];
    const answer = parseAnswer(body, what);
    if (token === undefined) throw new Fault("STORE_PROTOCOL", `${what}: the reply has no x-subject-token`);
    const expiresAt = Date.parse(answer.expires_at ?? "");
    return {
      token,
      storageUrl: this.#storageUrl(
        this.#config.storageUrl ?? endpointOf(answer.catalog ?? [], this.#config, what),
        login.authUrl,
      ),
      ...(Number.isNaN(expiresAt) ? {} : { expiresAt }),
    };
  }

  async #send(
    ask: {
      method: "GET" | "POST";
      url: string;
      headers: Readonly<Record<string, string>>;
      body?: string;
    },
    what: string,
    signal: AbortSignal,
  ): Promise<HttpReply> {
    return await http({ ...ask, name: what, ...(this.#ca === undefined ? {} : { ca: this.#ca }) }, signal);
  }

  #storageUrl(offered: string | undefined, authUrl?: string): string {
    const chosen = this.#config.storageUrl ?? offered;
    if (chosen === undefined || !URL.canParse(chosen)) {
      throw new Fault(
        "STORE_PROTOCOL",
        "Swift: logging in gave no storage URL: set one in the configuration",
      );
    }
    // A token that was got in secret must not travel in clear because a server behind TLS knows itself by http.
    if (
      this.#config.storageUrl === undefined &&
      authUrl?.startsWith("https:") &&
      !chosen.startsWith("https:")
    ) {
      throw new Fault(
        "STORE_REFUSED",
        `Swift: logged in over https, but the storage URL offered is ${new URL(chosen).origin}, which is not: ` +
          "name the storage URL in the configuration (OS_STORAGE_URL) to say which is right",
      );
    }
    return chosen.replace(/\/+$/, "");
  }
}

function v3Request(login: SwiftLogin & { kind: "v3-password" | "v3-application-credential" }): unknown {
  if (login.kind === "v3-application-credential") {
    const { id, secret } = login;
    return {
      auth: { identity: { methods: ["application_credential"], application_credential: { id, secret } } },
    };
  }
  const user = { ...login.user, password: login.password };
  return {
    auth: {
      identity: { methods: ["password"], password: { user } },
      scope: { project: login.project },
    },
  };
}

function label(user: (SwiftLogin & { kind: "v3-password" })["user"]): string {
  return "id" in user ? user.id : user.name;
}

function refuseLogin(reply: HttpReply, what: string, who: string): void {
  const { status } = reply;
  if (status >= 200 && status < 300) return;
  if (status === 401 || status === 403) {
    throw new Fault("CREDENTIALS", `${what}: ${who} was refused (${status}): check name, key and scope`, {
      details: { status },
    });
  }
  if (status >= 300 && status < 400) {
    // Following would hand the password to a server that nobody named.
    const to = reply.headers["location"];
    const place = to !== undefined && URL.canParse(to) ? ` to ${new URL(to).origin}` : "";
    throw new Fault(
      "STORE_REFUSED",
      `${what}: the server redirects${place} (${status}): set the URL to the right one`,
    );
  }
  if (status === 404 || status === 405) {
    throw new Fault("STORE_REFUSED", `${what}: nobody to log in to there (${status}): check the URL`);
  }
  throw statusFault(status, reply.headers, what);
}

interface V3Answer {
  readonly expires_at?: string;
  readonly catalog?: readonly {
    readonly type?: string;
    readonly endpoints?: readonly {
      readonly interface?: string;
      readonly region?: string;
      readonly region_id?: string;
      readonly url?: string;
    }[];
  }[];
}

function parseAnswer(body: string, what: string): V3Answer {
  try {
    const answer = (JSON.parse(body) as { token?: V3Answer }).token;
    if (answer !== undefined && answer !== null) return answer;
  } catch {
    // Said below, without the body, which may hold what must not be shown.
  }
  throw new Fault("STORE_PROTOCOL", `${what}: the reply is not that of Keystone v3`);
}

function endpointOf(catalog: NonNullable<V3Answer["catalog"]>, config: SwiftConfig, what: string): string {
  const offered = catalog
    .filter((service) => service.type === "object-store")
    .flatMap((service) => service.endpoints ?? []);
  const found = offered.find(
    (endpoint) =>
      endpoint.interface === config.interface &&
      (config.region === undefined || (endpoint.region_id ?? endpoint.region) === config.region),
  );
  if (found?.url !== undefined) return found.url;
  const others = offered.map(
    (endpoint) => `${endpoint.interface} in ${endpoint.region_id ?? endpoint.region}`,
  );
  throw new Fault(
    "NOT_FOUND",
    `${what}: the catalogue has no object-store that is ${config.interface}` +
      `${config.region === undefined ? "" : ` in region ${config.region}`}` +
      (others.length === 0
        ? ", nor any other: is the login scoped to a project?"
        : `; there is ${others.join(", ")}`),
  );
}
