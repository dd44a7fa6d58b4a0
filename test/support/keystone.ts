/** A real OpenStack Keystone (Identity v3) on loopback, for tests. */
import { spawnSync } from "node:child_process";
import { PYTHON, startServer } from "./swift/child.ts";

export const KEYSTONE =
  spawnSync(PYTHON, ["-B", "-c", "import keystone.server.wsgi, keystonemiddleware.auth_token"]).status === 0;

/** Put into a suite's title, so that a skip says why. */
export const KEYSTONE_REASON = KEYSTONE
  ? ""
  : " (skipped: python3-keystone and python3-keystonemiddleware are not installed)";

export interface KeystoneServer {
  /** Ends with `/v3`. */
  readonly authUrl: string;
  readonly username: string;
  readonly password: string;
  readonly project: string;
  readonly domain: string;
  readonly region: string;
  /** Adds an object-store to the catalogue, with a public and an internal endpoint in RegionOne. */
  registerSwift(url: string): Promise<void>;
  /** Makes an application credential of the administrator. */
  applicationCredential(): Promise<{ readonly id: string; readonly secret: string }>;
  /** From now on Keystone knows the token no more. */
  revoke(token: string): Promise<void>;
  stop(): Promise<void>;
}

/** The fields read here, of whichever answer. */
interface Answer {
  readonly token: { readonly user: { readonly id: string } };
  readonly service: { readonly id: string };
  readonly application_credential: { readonly id: string; readonly secret: string };
}

/** Starts a Keystone with an administrator, in about five seconds. */
export async function startKeystone(
  options: { readonly tokenSeconds?: number } = {},
): Promise<KeystoneServer> {
  const child = await startServer(
    "serve_keystone.py",
    { token_seconds: options.tokenSeconds ?? 3600 },
    "keystone.log",
  );
  const { url } = child.ready as { readonly url: string };

  async function ask(
    path: string,
    body: unknown,
    token?: string,
  ): Promise<{ reply: Response; json: Answer }> {
    const reply = await fetch(url + path, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        ...(token === undefined ? {} : { "x-auth-token": token }),
      },
      body: JSON.stringify(body),
    });
    const text = await reply.text();
    if (!reply.ok) throw new Error(`Keystone answered ${reply.status} to POST ${path}: ${text}`);
    return { reply, json: JSON.parse(text) as Answer };
  }

  async function logIn(): Promise<{ token: string; userId: string }> {
    const domain = { name: "Default" };
    const user = { name: "admin", domain, password: "admin" };
    const { reply, json } = await ask("/auth/tokens", {
      auth: {
        identity: { methods: ["password"], password: { user } },
        scope: { project: { name: "admin", domain } },
      },
    });
    return { token: reply.headers.get("x-subject-token") ?? "", userId: json.token.user.id };
  }

  return {
    authUrl: url,
    username: "admin",
    password: "admin",
    project: "admin",
    domain: "Default",
    region: "RegionOne",
    async registerSwift(swift) {
      const { token } = await logIn();
      const service = await ask("/services", { service: { type: "object-store", name: "swift" } }, token);
      for (const kind of ["public", "internal"]) {
        const endpoint = {
          service_id: service.json.service.id,
          interface: kind,
          region_id: "RegionOne",
          url: `${swift}/v1/AUTH_%(project_id)s`,
        };
        await ask("/endpoints", { endpoint }, (await logIn()).token);
      }
    },
    async applicationCredential() {
      const { token, userId } = await logIn();
      const made = await ask(
        `/users/${userId}/application_credentials`,
        { application_credential: { name: "diskferry" } },
        token,
      );
      return { id: made.json.application_credential.id, secret: made.json.application_credential.secret };
    },
    async revoke(token) {
      const reply = await fetch(`${url}/auth/tokens`, {
        method: "DELETE",
        headers: { "x-auth-token": (await logIn()).token, "x-subject-token": token },
      });
      if (!reply.ok) throw new Error(`Keystone answered ${reply.status} to the revocation of a token`);
    },
    stop: child.stop,
  };
}
