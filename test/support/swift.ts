/**
 * A real OpenStack Swift on loopback, for tests: tempauth (or a Keystone v3), static and dynamic large objects, bulk
 * delete, temporary URLs, rate limits, quotas, and the S3 API.
 */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { PYTHON, startServer } from "./swift/child.ts";

export const SWIFT = spawnSync(PYTHON, ["-B", "-c", "import swift.proxy.server"]).status === 0;

/** Put into a suite's title, so that a skip says why. */
export const SWIFT_REASON = SWIFT ? "" : " (skipped: python3-swift is not installed)";

export interface SwiftOptions {
  /** Whole seconds that a token lives; 86,400 unless given. */
  readonly tokenSeconds?: number;
  /** Object-backed entries of one manifest; 1000 unless given. */
  readonly maxManifestSegments?: number;
  /** Bytes of the largest plain object. */
  readonly maxFileSize?: number;
  /** Bytes of the smallest part of the S3 API but the last; 5 MiB unless given. */
  readonly s3MinPart?: number;
  /** Further keys of proxy-server.conf by section, such as `{"filter:ratelimit": {"account_ratelimit": 1}}`. */
  readonly settings?: Readonly<Record<string, Readonly<Record<string, string | number>>>>;
  /** URL of a Keystone v3 that decides about tokens in place of tempauth. */
  readonly keystone?: string;
  /** Paths of PEM files. */
  readonly tls?: { readonly cert: string; readonly key: string };
}

export interface SwiftServer {
  /** Of the proxy, without a path. */
  readonly url: string;
  /** For tempauth v1. */
  readonly authUrl: string;
  /** Of the account of `user`, under tempauth. */
  readonly storageUrl: string;
  readonly user: string;
  readonly key: string;
  readonly s3: { readonly endpoint: string; readonly accessKey: string; readonly secretKey: string };
  /** What the servers wrote so far; each request that the proxy answered is one line. */
  log(): string;
  stop(): Promise<void>;
}

/** Starts a Swift with nothing in it, in about two seconds. */
export async function startSwift(options: SwiftOptions = {}): Promise<SwiftServer> {
  const settings: Record<string, Record<string, string | number>> = {};
  const set = (section: string, key: string, value: string | number | undefined) => {
    if (value !== undefined) settings[section] = { ...settings[section], [key]: value };
  };
  set("filter:tempauth", "token_life", options.keystone === undefined ? options.tokenSeconds : undefined);
  set("filter:slo", "max_manifest_segments", options.maxManifestSegments);
  set("filter:s3api", "min_segment_size", options.s3MinPart);
  for (const [section, values] of Object.entries(options.settings ?? {})) {
    for (const [key, value] of Object.entries(values)) set(section, key, value);
  }
  const child = await startServer(
    "serve_swift.py",
    {
      settings,
      ...(options.maxFileSize === undefined ? {} : { limits: { max_file_size: options.maxFileSize } }),
      ...(options.keystone === undefined ? {} : { keystone: options.keystone }),
      ...(options.tls === undefined ? {} : { tls: options.tls }),
    },
    "swift.log",
  );
  const { url } = child.ready as { readonly url: string };
  return {
    url,
    authUrl: `${url}/auth/v1.0`,
    storageUrl: `${url}/v1/AUTH_test`,
    user: "test:tester",
    key: "testing",
    s3: { endpoint: url, accessKey: "test:tester", secretKey: "testing" },
    log: () => readFileSync(join(child.root, "swift.log"), "utf8"),
    stop: child.stop,
  };
}
