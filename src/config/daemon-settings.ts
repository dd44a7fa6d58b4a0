/**
 * What stands in the configuration file of `diskferry serve`. docs/operations.md explains every key; a test holds it to
 * this schema.
 */
import { isAbsolute } from "node:path";
import { z } from "zod";
import { parseSize } from "../bytes/units.ts";
import { FORMATS } from "../format/registry.ts";
import { ossConfigSchema } from "../store/oss/config.ts";
import { S3Config } from "../store/s3/config.ts";
import { SwiftConfig } from "../store/swift/config.ts";
import { LOG_LEVELS } from "../telemetry/log.ts";
import { parseLocation } from "./location.ts";

/** Loopback: whoever wants others to reach the daemon says so. */
const LOOPBACK = "127.0.0.1";
export const DEFAULT_PORT = 7411;

const text = z.string().min(1);
const name = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/,
    "a name has 1 to 64 letters, digits, dots, dashes and underscores",
  );
const path = z.string().refine(isAbsolute, "an absolute path");
const port = z.int().min(0).max(65_535);
const count = z.int().min(0);
const permission = z.enum(["allowed", "refused"]);
const format = z.enum(FORMATS.map((known) => known.name));
/** Of what is read: an image that is kept, or a volume. */
const readable = z.enum(FORMATS.filter(({ reader }) => reader !== undefined).map((known) => known.name));
const sha256 = z.string().regex(/^[0-9a-f]{64}$/, "a SHA-256: 64 hex digits in lower case");

/** Bytes, or `64K`, `1.5G`. */
const size = z
  .union([z.int().min(0), z.string()], { error: "bytes, or a number with K, M, G or T" })
  .transform((given, context) => {
    if (typeof given === "number") return given;
    try {
      return parseSize(given);
    } catch {
      context.addIssue({ code: "custom", message: "bytes, or a number with K, M, G or T" });
      return z.NEVER;
    }
  });

const imageWrite = z.strictObject({
  format: readable,
  compression: z.enum(["none", "zlib", "zstd"]).exactOptional(),
  level: z.int().exactOptional(),
  clusterSize: size.exactOptional(),
});

const slots = z.strictObject({
  copy: count.exactOptional(),
  export: count.exactOptional(),
  import: count.exactOptional(),
});

const region = z.strictObject({
  /** Name of the destination that keeps the region's images. */
  imageStore: name,
  imageWrite: imageWrite.exactOptional(),
  slots: slots.exactOptional(),
  /** Bytes per second of all its tasks together. */
  bandwidth: size.exactOptional(),
  localName: text.exactOptional(),
  status: z.enum(["available", "sold-out", "closed"]).exactOptional(),
  importExport: permission.exactOptional(),
  copy: permission.exactOptional(),
  egress: permission.exactOptional(),
  ingressFrom: z.union([z.literal("any"), z.array(name)]).exactOptional(),
  complianceDeny: z.array(name).exactOptional(),
  ownKeys: permission.exactOptional(),
  encryptAlgorithms: z.array(text).exactOptional(),
  vhdCopy: permission.exactOptional(),
  largestCopy: size.exactOptional(),
  encryptOnCopy: permission.exactOptional(),
  exportFormats: z.union([z.literal("any"), z.array(format)]).exactOptional(),
  swiftApiVersion: z.enum(["v1", "v2"]).exactOptional(),
  peerUrl: z.url({ protocol: /^https?$/ }).exactOptional(),
});

const STORES = ["swift", "s3", "oss"] as const;

const credential = z
  .strictObject({
    swift: SwiftConfig.exactOptional(),
    s3: S3Config.exactOptional(),
    oss: ossConfigSchema.exactOptional(),
  })
  .refine((given) => STORES.filter((store) => given[store] !== undefined).length === 1, {
    error: "one store: swift, s3 or oss",
  });

/** `swift://container/`, `s3://bucket/prefix/`, `oss://bucket/`, or the absolute path of a directory. */
const location = z.string().transform((given, context) => {
  const ends = given.endsWith("/") ? given : `${given}/`;
  const found = parsed(`${ends}object`);
  switch (found?.kind) {
    case "swift":
      return { provider: "swift" as const, container: found.container, location: ends };
    case "s3":
    case "oss":
      return { provider: found.kind, container: found.bucket, location: ends };
    case "file":
      if (isAbsolute(given)) return { provider: "directory" as const, container: given, location: ends };
  }
  context.addIssue({
    code: "custom",
    message: "swift://container/, s3://bucket/, oss://bucket/, or the absolute path of a directory",
  });
  return z.NEVER;
});

function parsed(given: string) {
  try {
    return parseLocation(given);
  } catch {
    return undefined;
  }
}

const destination = z.strictObject({
  region: name,
  location,
  credential: name.exactOptional(),
  /** The only project that may use it. */
  project: name.exactOptional(),
});

const project = z.strictObject({
  name: text.exactOptional(),
  aliUid: text.exactOptional(),
  payment: z.enum(["settled", "outstanding"]).exactOptional(),
  imports: permission.exactOptional(),
  exports: permission.exactOptional(),
  ownKeys: permission.exactOptional(),
  defaultEncryption: z.enum(["on", "off"]).exactOptional(),
  keyService: z.enum(["disabled", "enabled", "authorized"]).exactOptional(),
  quotas: z
    .strictObject({
      images: count.exactOptional(),
      snapshots: count.exactOptional(),
      exports: count.exactOptional(),
      weeklyExports: count.exactOptional(),
      unfinished: count.exactOptional(),
    })
    .exactOptional(),
  resourceGroups: z.array(text).exactOptional(),
  roles: z.array(text).exactOptional(),
});

const volume = z.strictObject({
  project: name,
  region: name,
  root: name,
  /** Below the root. */
  path: text,
  name: text.exactOptional(),
  description: z.string().exactOptional(),
  format: readable.exactOptional(),
  /** Bytes of the disk; absent: as its content says. */
  size: size.exactOptional(),
  imageMetadata: z.record(z.string(), z.string()).exactOptional(),
});

const caller = { name: text, project: name, role: z.enum(["user", "admin"]) };

const callers = z
  .strictObject({
    tokens: z.array(z.strictObject({ ...caller, sha256 })).default([]),
    certificates: z
      .array(
        z
          .strictObject({ ...caller, commonName: text.exactOptional(), sha256: sha256.exactOptional() })
          .refine((given) => (given.commonName === undefined) !== (given.sha256 === undefined), {
            error: "either commonName or sha256 tells which certificate is meant",
          }),
      )
      .default([]),
    accessKeys: z
      .array(
        z.strictObject({
          ...caller,
          id: z.string().regex(/^[\x21-\x7e]{1,128}$/, "1 to 128 printable ASCII characters"),
          secret: z.string().min(8, "at least 8 characters"),
          state: z.enum(["enabled", "disabled"]).default("enabled"),
          actions: z.array(text).exactOptional(),
          resourceGroups: z.array(text).exactOptional(),
        }),
      )
      .default([]),
  })
  .prefault({});

const listen = z
  .strictObject({
    cleartext: z
      .strictObject({ host: text.default(LOOPBACK), port: port.default(DEFAULT_PORT) })
      .exactOptional(),
    tls: z
      .strictObject({
        host: text.default("::"),
        port: port.default(7443),
        /** Paths of PEM files. */
        certificate: path,
        key: path,
        clientAuthorities: path.exactOptional(),
      })
      .exactOptional(),
  })
  .refine((given) => given.cleartext !== undefined || given.tls !== undefined, {
    error: "cleartext or tls: one of them at least",
  });

const shape = z.strictObject({
  /** Absent: `daemon` below the user's state directory. */
  stateDirectory: path.exactOptional(),
  /** Name of this daemon in the record; absent: that of the host. */
  runner: name.exactOptional(),
  listen: listen.prefault({ cleartext: {} }),
  callers,
  credentials: z.record(name, credential).default({}),
  regions: z.record(name, region).default({}),
  destinations: z.record(name, destination).default({}),
  projects: z.record(name, project).default({}),
  /** Directories that files and volumes may lie in. */
  roots: z.record(name, path).default({}),
  volumes: z.record(name, volume).default({}),
  /** Folders of web servers that images may be imported from. */
  urls: z.union([z.enum(["any", "anywhere"]), z.array(z.url({ protocol: /^https?$/ }))]).default([]),
  limits: z
    .strictObject({
      threads: z.int().min(1).max(1024).exactOptional(),
      memory: size.prefault("512M"),
      runs: z.int().min(1).default(32),
      drainSeconds: z.int().min(0).max(3600).default(30),
    })
    .prefault({}),
  alibaba: z.strictObject({ errorCodes: z.enum(["2018", "2021"]).default("2018") }).prefault({}),
  retention: z
    .strictObject({
      taskDays: z.number().positive().default(90),
      tokenDays: z.number().positive().default(7),
      auditDays: z.number().positive().default(365),
    })
    .prefault({}),
  log: z.strictObject({ level: z.enum(LOG_LEVELS).default("info"), file: path.exactOptional() }).prefault({}),
  metrics: z.strictObject({ access: z.enum(["open", "callers"]).default("callers") }).prefault({}),
});

export type DaemonSettings = z.output<typeof shape>;

/** Whatever names something names what is there. */
export const daemonSettingsSchema = shape.superRefine((settings, context) => {
  const refuse = (at: readonly (string | number)[], message: string): void =>
    context.addIssue({ code: "custom", path: [...at], message });
  checkRegions(settings, refuse);
  checkDestinations(settings, refuse);
  for (const [id, { region: at, root }] of Object.entries(settings.volumes)) {
    if (!Object.hasOwn(settings.regions, at)) refuse(["volumes", id, "region"], `there is no region ${at}`);
    if (!Object.hasOwn(settings.roots, root)) refuse(["volumes", id, "root"], `there is no root ${root}`);
  }
  checkCallers(settings, refuse);
});

type Refuse = (at: readonly (string | number)[], message: string) => void;

function checkRegions({ regions, destinations }: DaemonSettings, refuse: Refuse): void {
  for (const [id, { imageStore, ingressFrom, complianceDeny }] of Object.entries(regions)) {
    const store = Object.hasOwn(destinations, imageStore) ? destinations[imageStore] : undefined;
    if (store === undefined) refuse(["regions", id, "imageStore"], `there is no destination ${imageStore}`);
    else if (store.region !== id)
      refuse(["regions", id, "imageStore"], `destination ${imageStore} is in region ${store.region}`);
    for (const [field, named] of [
      ["ingressFrom", ingressFrom === "any" ? [] : (ingressFrom ?? [])],
      ["complianceDeny", complianceDeny ?? []],
    ] as const) {
      for (const [index, other] of named.entries()) {
        if (!Object.hasOwn(regions, other))
          refuse(["regions", id, field, index], `there is no region ${other}`);
      }
    }
  }
}

function checkDestinations({ regions, destinations, credentials }: DaemonSettings, refuse: Refuse): void {
  for (const [id, { region: at, location: place, credential: named }] of Object.entries(destinations)) {
    const here = ["destinations", id] as const;
    if (!Object.hasOwn(regions, at)) refuse([...here, "region"], `there is no region ${at}`);
    if (place.provider === "directory") {
      if (named !== undefined) refuse([...here, "credential"], "a directory takes no credential");
      continue;
    }
    if (named === undefined) refuse(here, `${place.provider} needs a credential`);
    else if (!Object.hasOwn(credentials, named))
      refuse([...here, "credential"], `there is no credential ${named}`);
    else if (credentials[named]?.[place.provider] === undefined)
      refuse([...here, "credential"], `credential ${named} is not for ${place.provider}`);
  }
}

function checkCallers(
  { callers: { tokens, certificates, accessKeys }, listen: { tls } }: DaemonSettings,
  refuse: Refuse,
): void {
  for (const [index, { id }] of accessKeys.entries()) {
    if (accessKeys.findIndex((other) => other.id === id) < index)
      refuse(["callers", "accessKeys", index, "id"], "this access key is named twice");
  }
  for (const [index, { sha256: digest }] of tokens.entries()) {
    if (tokens.findIndex((other) => other.sha256 === digest) < index)
      refuse(["callers", "tokens", index, "sha256"], "this token is named twice");
  }
  if (certificates.length > 0 && tls?.clientAuthorities === undefined)
    refuse(["callers", "certificates"], "certificates need listen.tls.clientAuthorities");
}
