/** Stores that keep objects in buckets: servers of the S3 API, and the stand-in for OSS. */

import type { Source } from "../../src/source/source.ts";
import { openOss } from "../../src/store/oss/destination.ts";
import { ossSource } from "../../src/store/oss/source.ts";
import { openAccess } from "../../src/store/s3/client.ts";
import type { S3Config } from "../../src/store/s3/config.ts";
import { openS3 } from "../../src/store/s3/destination.ts";
import { s3Source } from "../../src/store/s3/source.ts";
import type { Destination } from "../../src/store/store.ts";
import { CEPH, CEPH_REASON, startCeph } from "../support/ceph.ts";
import { startStrictOss, TEST_ACCOUNT } from "../support/oss/server.ts";
import { SWIFT, SWIFT_REASON, startSwift } from "../support/swift.ts";
import { never } from "./harbour.ts";

export interface BucketStore extends AsyncDisposable {
  destination(bucket: string, key: string, signal: AbortSignal): Promise<Destination>;
  source(bucket: string, key: string, signal: AbortSignal): Promise<Source>;
  /** Keys of what is in the bucket, and of uploads that are not finished. */
  held(bucket: string): Promise<readonly string[]>;
}

type Start = (buckets: readonly string[]) => Promise<BucketStore>;

export const BUCKET_STORES: readonly (readonly [title: string, available: boolean, start: Start])[] = [
  [`the S3 API of a Swift${SWIFT_REASON}`, SWIFT, throughSwift],
  [`a Ceph gateway${CEPH_REASON}`, CEPH, throughCeph],
  ["the OSS stand-in", true, ossStandIn],
];

async function throughSwift(buckets: readonly string[]): Promise<BucketStore> {
  const swift = await startSwift();
  return s3Store({ ...swift.s3, stop: swift.stop }, buckets);
}

async function throughCeph(buckets: readonly string[]): Promise<BucketStore> {
  return s3Store(await startCeph(), buckets);
}

interface S3Server {
  readonly endpoint: string;
  readonly accessKey: string;
  readonly secretKey: string;
  stop(): Promise<void>;
}

async function s3Store(server: S3Server, buckets: readonly string[]): Promise<BucketStore> {
  const { endpoint, accessKey, secretKey } = server;
  const config: S3Config = { endpoint, accessKeyId: accessKey, secretAccessKey: secretKey };
  const access = await openAccess(config);
  for (const bucket of buckets) {
    const command = new access.sdk.CreateBucketCommand({ Bucket: bucket });
    await access.call({ bucket, key: "" }, "bucket", 20_000, (sdk, o) => sdk.send(command, o), never);
  }
  return {
    destination: (bucket, key, signal) => openS3(config, { bucket, key }, signal),
    source: (bucket, key, signal) => s3Source(config, { bucket, key }, signal),
    async held(bucket) {
      const place = { bucket, key: "" };
      const { ListObjectsV2Command, ListMultipartUploadsCommand } = access.sdk;
      const { Contents = [] } = await access.call(
        place,
        "list",
        20_000,
        (sdk, options) => sdk.send(new ListObjectsV2Command({ Bucket: bucket }), options),
        never,
      );
      const { Uploads = [] } = await access.call(
        place,
        "uploads",
        20_000,
        (sdk, options) => sdk.send(new ListMultipartUploadsCommand({ Bucket: bucket }), options),
        never,
      );
      return [...Contents.map(({ Key }) => Key ?? ""), ...Uploads.map(({ Key }) => `${Key} (unfinished)`)];
    },
    async [Symbol.asyncDispose]() {
      access.close();
      await server.stop();
    },
  };
}

async function ossStandIn(buckets: readonly string[]): Promise<BucketStore> {
  const server = await startStrictOss({ buckets });
  const config = {
    region: "cn-hangzhou",
    ...TEST_ACCOUNT,
    endpoint: server.endpoint,
    addressing: "virtual-host",
  } as const;
  return {
    destination: (bucket, key, signal) => openOss(config, { bucket, key }, signal),
    source: (bucket, key, signal) => ossSource(config, { bucket, key }, signal),
    async held(bucket) {
      const found = server.bucket(bucket);
      const uploads = [...found.uploads.values()].map(({ key }) => `${key} (unfinished)`);
      return [...found.keys(), ...uploads];
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}
