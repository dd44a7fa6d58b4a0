/** What is needed to reach a Swift account: one of four ways to log in, and which endpoint to use. */
import { z } from "zod";
import { Fault } from "../../fault/fault.ts";

const text = z.string().min(1);
const url = z.url({ protocol: /^https?$/ });

/** A domain of Keystone, by one of its two names. */
const domain = z.union([z.object({ name: text }).readonly(), z.object({ id: text }).readonly()]);

const login = z.discriminatedUnion("kind", [
  /** TempAuth, swauth and Ceph: `X-Auth-User` and `X-Auth-Key`. */
  z.object({ kind: z.literal("v1"), authUrl: url, user: text, key: text }).readonly(),
  /** Keystone Identity v3 with a user's password, scoped to a project. */
  z
    .object({
      kind: z.literal("v3-password"),
      /** With or without the `/v3`. */
      authUrl: url,
      user: z.union([z.object({ id: text }).readonly(), z.object({ name: text, domain }).readonly()]),
      password: text,
      project: z.union([z.object({ id: text }).readonly(), z.object({ name: text, domain }).readonly()]),
    })
    .readonly(),
  /** Keystone Identity v3 with an application credential, which carries its own scope. */
  z.object({ kind: z.literal("v3-application-credential"), authUrl: url, id: text, secret: text }).readonly(),
  /** A token got elsewhere; it cannot be renewed. `storageUrl` is then needed. */
  z.object({ kind: z.literal("token"), token: text }).readonly(),
]);

export const SwiftConfig = z
  .object({
    login,
    /** Used in place of the one that logging in yields. */
    storageUrl: url.optional(),
    /** Region of the catalogue; any when absent. */
    region: text.optional(),
    interface: z.enum(["public", "internal", "admin"]).default("public"),
    /** Path of a PEM file with the authorities to trust in place of the system's. */
    caFile: text.optional(),
    /** Container of the segments; `<container>_segments` when absent. */
    segmentContainer: text.optional(),
  })
  .readonly()
  .refine((config) => config.login.kind !== "token" || config.storageUrl !== undefined, {
    message: "a token needs a storageUrl",
  });

export type SwiftConfig = z.output<typeof SwiftConfig>;
export type SwiftLogin = SwiftConfig["login"];

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Reads the variables of python-swiftclient and python-openstackclient: `ST_*`, or `OS_*` with a password, an
 * application credential, or a token.
 * @throws Fault CREDENTIALS that names the variables that are missing or wrong.
 */
export function swiftConfigFromEnvironment(env: Environment): SwiftConfig {
  const get = (name: string) => (env[name] === "" ? undefined : env[name]);
  const endpoint = get("OS_INTERFACE") ?? get("OS_ENDPOINT_TYPE");
  const parsed = SwiftConfig.safeParse({
    login: loginFrom(get),
    storageUrl: get("OS_STORAGE_URL"),
    region: get("OS_REGION_NAME"),
    interface: endpoint?.replace(/URL$/, ""),
    caFile: get("OS_CACERT"),
  });
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new Fault(
    "CREDENTIALS",
    `Swift: the environment gives a wrong ${issue?.path.join(".") || "configuration"}: ${issue?.message}`,
  );
}

type Get = (name: string) => string | undefined;

function loginFrom(get: Get): unknown {
  if (get("OS_AUTH_TOKEN") !== undefined) {
    const [token] = require("OS_AUTH_TOKEN and", get, "OS_AUTH_TOKEN", "OS_STORAGE_URL");
    return { kind: "token", token };
  }
  const version = get("OS_IDENTITY_API_VERSION");
  if (version !== undefined && !/^3(\.|$)/.test(version)) {
    throw new Fault(
      "CREDENTIALS",
      `Swift: OS_IDENTITY_API_VERSION is ${version}; only 3 is spoken (unset it, or use ST_AUTH for version 1)`,
    );
  }
  if (get("OS_APPLICATION_CREDENTIAL_ID") !== undefined) {
    const [
      authUrl,
      id,
      secret,
    ] = require("an application credential and", get, "OS_AUTH_URL", "OS_APPLICATION_CREDENTIAL_ID", "OS_APPLICATION_CREDENTIAL_SECRET");
    return { kind: "v3-application-credential", authUrl, id, secret };
  }
  if (get("OS_AUTH_URL") !== undefined) return passwordFrom(get);
  if (["ST_AUTH", "ST_USER", "ST_KEY"].some((name) => get(name) !== undefined)) {
    const [authUrl, user, key] = require("ST_*", get, "ST_AUTH", "ST_USER", "ST_KEY");
    return { kind: "v1", authUrl, user, key };
  }
  throw new Fault(
    "CREDENTIALS",
    "Swift: no credentials in the environment: set ST_AUTH, ST_USER and ST_KEY; or OS_AUTH_URL, OS_USERNAME, " +
      "OS_PASSWORD and OS_PROJECT_NAME; or OS_AUTH_URL and OS_APPLICATION_CREDENTIAL_ID and _SECRET; or " +
      "OS_AUTH_TOKEN and OS_STORAGE_URL",
  );
}

function passwordFrom(get: Get): unknown {
  const anyDomain = (who: "USER" | "PROJECT") => {
    const id = get(`OS_${who}_DOMAIN_ID`);
    if (id !== undefined) return { id };
    const name = get(`OS_${who}_DOMAIN_NAME`);
    if (name !== undefined) return { name };
    // What Keystone itself calls the domain of installations that know no domains.
    return { id: get("OS_DEFAULT_DOMAIN") ?? "default" };
  };
  const userId = get("OS_USER_ID");
  const projectId = get("OS_PROJECT_ID") ?? get("OS_TENANT_ID");
  const project = get("OS_PROJECT_NAME") ?? get("OS_TENANT_NAME");
  const [authUrl, password] = require("OS_AUTH_URL and", (name) =>
    (name === "OS_USERNAME" ? userId : name === "OS_PROJECT_NAME" ? (projectId ?? project) : undefined) ??
    get(name), "OS_AUTH_URL", "OS_PASSWORD", "OS_USERNAME", "OS_PROJECT_NAME");
  return {
    kind: "v3-password",
    authUrl,
    user: userId === undefined ? { name: get("OS_USERNAME"), domain: anyDomain("USER") } : { id: userId },
    password,
    project: projectId === undefined ? { name: project, domain: anyDomain("PROJECT") } : { id: projectId },
  };
}

function require(found: string, get: Get, ...names: readonly string[]): readonly string[] {
  const missing = names.filter((name) => get(name) === undefined);
  if (missing.length === 0) return names.map((name) => get(name) ?? "");
  throw new Fault(
    "CREDENTIALS",
    `Swift: the environment has ${found} but lacks ${missing.join(", ")}: set ${missing.length === 1 ? "it" : "them"}`,
  );
}
