/** An account of a real Swift on loopback, as the programs under measurement are told of it. */

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { SWIFT, type SwiftServer, startSwift } from "../../test/support/swift.ts";

export const SWIFT_INSTALLED = SWIFT;
export const CONTAINER = "images";
const BUCKET = "bucket";

type Environment = Readonly<Record<string, string>>;

export interface SwiftAccount extends AsyncDisposable {
  readonly container: string;
  readonly bucket: string;
  readonly s3Endpoint: string;
  /** For diskferry and for the swift client. */
  readonly swift: Environment;
  /** For diskferry and for aws. */
  readonly s3: Environment;
  /** For rclone: the remotes `swift:` and `s3:`. */
  readonly rclone: Environment;
  /** Removes every object. */
  clear(): Promise<void>;
}

/** `directory`: where the server keeps its objects. */
export async function openSwiftAccount(directory: string): Promise<SwiftAccount> {
  // The server makes its directory below the one for temporary files.
  process.env["TMPDIR"] = directory;
  const server = await startSwift();
  const ask = await login(server);
  for (const name of [CONTAINER, `${CONTAINER}_segments`, BUCKET]) await ask("PUT", `/${name}`);
  const { endpoint, accessKey, secretKey } = server.s3;
  const awsConfig = join(directory, "aws-config");
  // Parts of the size that all others use too: 8 MiB, its default, would be to its disadvantage here.
  writeFileSync(awsConfig, "[default]\ns3 =\n  multipart_chunksize = 64MB\n");
  return {
    container: CONTAINER,
    bucket: BUCKET,
    s3Endpoint: endpoint,
    swift: { ST_AUTH: server.authUrl, ST_USER: server.user, ST_KEY: server.key },
    s3: {
      AWS_ENDPOINT_URL: endpoint,
      AWS_ACCESS_KEY_ID: accessKey,
      AWS_SECRET_ACCESS_KEY: secretKey,
      AWS_REGION: "us-east-1",
      AWS_CONFIG_FILE: awsConfig,
      // This server does not know the checksums in trailers that newer clients send unasked.
      AWS_REQUEST_CHECKSUM_CALCULATION: "when_required",
      AWS_RESPONSE_CHECKSUM_VALIDATION: "when_required",
    },
    rclone: {
      RCLONE_CONFIG: "/dev/null",
      RCLONE_CONFIG_SWIFT_TYPE: "swift",
      RCLONE_CONFIG_SWIFT_AUTH: server.authUrl,
      RCLONE_CONFIG_SWIFT_AUTH_VERSION: "1",
      RCLONE_CONFIG_SWIFT_USER: server.user,
      RCLONE_CONFIG_SWIFT_KEY: server.key,
      RCLONE_CONFIG_SWIFT_CHUNK_SIZE: "64M",
      RCLONE_CONFIG_S3_TYPE: "s3",
      RCLONE_CONFIG_S3_PROVIDER: "Other",
      RCLONE_CONFIG_S3_ENDPOINT: endpoint,
      RCLONE_CONFIG_S3_REGION: "us-east-1",
      RCLONE_CONFIG_S3_ACCESS_KEY_ID: accessKey,
      RCLONE_CONFIG_S3_SECRET_ACCESS_KEY: secretKey,
      RCLONE_CONFIG_S3_CHUNK_SIZE: "64M",
      RCLONE_CONFIG_S3_NO_CHECK_BUCKET: "true",
    },
    async clear() {
      for (const container of await names(ask, "")) {
        for (let left = await names(ask, container); left.length > 0; left = await names(ask, container)) {
          for (const name of left) {
            const path = name.split("/").map(encodeURIComponent).join("/");
            await ask("DELETE", `/${encodeURIComponent(container)}/${path}`);
          }
        }
      }
    },
    [Symbol.asyncDispose]: () => server.stop(),
  };
}

type Ask = (method: string, path: string) => Promise<string>;

async function login(server: SwiftServer): Promise<Ask> {
  const reply = await fetch(server.authUrl, {
    headers: { "x-auth-user": server.user, "x-auth-key": server.key },
  });
  const headers = { "x-auth-token": reply.headers.get("x-auth-token") ?? "" };
  return async (method, path) => {
    const answer = await fetch(server.storageUrl + path, { method, headers });
    if (!answer.ok && answer.status !== 404) throw new Error(`${method} ${path}: status ${answer.status}`);
    return await answer.text();
  };
}

/** Containers of the account, or objects of one container. */
async function names(ask: Ask, container: string): Promise<string[]> {
  const listing = await ask("GET", `/${encodeURIComponent(container)}?limit=10000`);
  return listing.split("\n").filter((name) => name !== "");
}
