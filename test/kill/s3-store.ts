/** Servers that speak S3 under the campaign: OpenStack Swift's s3api, and Ceph's gateway. */
import { openAccess } from "../../src/store/s3/client.ts";
import { startCeph } from "../support/ceph.ts";
import { startSwift } from "../support/swift.ts";
import { type Classify, startProxy } from "./proxy.ts";
import { type Store, sha256 } from "./store.ts";
import { openAccount } from "./swift-store.ts";

const BUCKET = "images";
const LONG_MS = 60_000;

const classify: Classify = ({ method, url, headers }) => {
  const { pathname, searchParams: query } = new URL(url, "http://s3");
  const zeros = pathname.includes(".diskferry-zeros-");
  const id = query.get("uploadId");
  if (method === "POST" && query.has("uploads")) return { kind: zeros ? "zeros-begin" : "begin" };
  if (method === "POST" && id !== null) return { kind: zeros ? "zeros-complete" : "complete" };
  if (method === "PUT" && headers["x-amz-copy-source"] !== undefined) {
    return { kind: zeros ? "zeros-copy" : "copy" };
  }
  if (method === "PUT" && zeros) return { kind: "zeros" };
  if (method === "PUT" && id !== null) return { kind: "part", part: `${id} ${query.get("partNumber")}` };
  if (method === "GET" && id !== null) return { kind: "list" };
  if (method === "GET" && /^\/images\/./.test(pathname)) return { kind: "read" };
  if (method === "DELETE") return { kind: "remove" };
  return { kind: method === "HEAD" ? "look" : "other" };
};

interface Server {
  readonly endpoint: string;
  readonly accessKey: string;
  readonly secretKey: string;
  /** What the server keeps below its buckets and no S3 request shows; `drop` removes it. */
  hidden(): Promise<readonly string[]>;
  drop(): Promise<void>;
  stop(): Promise<void>;
}

export async function s3AtSwift(): Promise<Store> {
  const swift = await startSwift();
  const account = await openAccount(swift);
  const hidden = async (): Promise<string[]> => {
    const used = new Set<string>();
    for (const name of await account.names(BUCKET)) {
      for (const path of await account.manifest(`/${BUCKET}/${name}`)) used.add(path);
    }
    const parts = await account.names(`${BUCKET}+segments`);
    return parts.filter((name) => !used.has(`/${BUCKET}+segments/${name}`));
  };
  const drop = () => account.clear(`${BUCKET}+segments`);
  return s3Store("S3 at OpenStack Swift", { ...swift.s3, hidden, drop, stop: swift.stop });
}

export async function s3AtCeph(): Promise<Store> {
  const ceph = await startCeph();
  return s3Store("S3 at Ceph", { ...ceph, hidden: async () => [], drop: async () => {}, stop: ceph.stop });
}

async function s3Store(title: string, server: Server): Promise<Store> {
  const { endpoint, accessKey: accessKeyId, secretKey: secretAccessKey } = server;
  const proxy = await startProxy(endpoint, classify);
  const { sdk } = await openAccess({ endpoint, accessKeyId, secretAccessKey });
  const client = new sdk.S3Client({
    endpoint,
    region: "us-east-1",
    credentials: { accessKeyId, secretAccessKey },
    forcePathStyle: true,
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
  });
  const at = { Bucket: BUCKET };
  const patience = { abortSignal: AbortSignal.timeout(30 * LONG_MS) };
  await client.send(new sdk.CreateBucketCommand(at), patience);
  const uploads = async () => (await client.send(new sdk.ListMultipartUploadsCommand(at))).Uploads ?? [];
  const keys = async () =>
    ((await client.send(new sdk.ListObjectsV2Command(at))).Contents ?? []).map(({ Key = "" }) => Key);
  const dropUploads = async () => {
    for (const { Key, UploadId } of await uploads()) {
      await client.send(new sdk.AbortMultipartUploadCommand({ ...at, Key, UploadId }));
    }
  };
  return {
    title,
    tripwire: proxy,
    kinds: ["part", "part", "part", "copy"],
    phases: ["asked", "within", "done", "told"],
    options: ["--segment-size", "5M"],
    environment: {
      AWS_ENDPOINT_URL: proxy.url,
      AWS_ACCESS_KEY_ID: accessKeyId,
      AWS_SECRET_ACCESS_KEY: secretAccessKey,
    },
    sent: proxy.sent,
    place: (name) => `s3://${BUCKET}/${name}`,
    async digest(name) {
      if (!(await keys()).includes(name)) return undefined;
      const reply = await client.send(new sdk.GetObjectCommand({ ...at, Key: name }));
      return await sha256(reply.Body as AsyncIterable<Uint8Array>);
    },
    async orphans() {
      const zeros = (await keys()).filter((key) => key.includes("diskferry"));
      const open = (await uploads()).map(({ Key, UploadId }) => `upload ${UploadId} of ${Key}`);
      return [...zeros, ...open, ...(await server.hidden())];
    },
    async clear() {
      await dropUploads();
      for (const Key of await keys()) await client.send(new sdk.DeleteObjectCommand({ ...at, Key }));
      await server.drop();
    },
    dropUploads,
    async [Symbol.asyncDispose]() {
      client.destroy();
      await proxy[Symbol.asyncDispose]();
      await server.stop();
    },
  };
}
