/** The strict OSS stand-in under the campaign, as a process of its own. */
import AliOss from "ali-oss";
import { TEST_ACCOUNT } from "../support/oss/server.ts";
import { spawnStrictOss } from "../support/oss/spawn.ts";
import { type Classify, startProxy } from "./proxy.ts";
import { type Store, sha256 } from "./store.ts";

const BUCKET = "images";

const classify: Classify = ({ method, url, headers }) => {
  const { pathname, searchParams: query } = new URL(url, "http://oss");
  const zeros = pathname.includes(".zeros-");
  const id = query.get("uploadId");
  if (method === "POST" && query.has("uploads")) return { kind: zeros ? "zeros-begin" : "begin" };
  if (method === "POST" && id !== null) return { kind: zeros ? "zeros-complete" : "complete" };
  if (method === "PUT" && headers["x-oss-copy-source"] !== undefined) {
    return { kind: zeros ? "zeros-copy" : "copy" };
  }
  if (method === "PUT" && zeros) return { kind: "zeros" };
  if (method === "PUT" && id !== null) return { kind: "part", part: `${id} ${query.get("partNumber")}` };
  if (method === "GET" && id !== null) return { kind: "list" };
  if (method === "GET" && pathname !== "/") return { kind: "read" };
  if (method === "DELETE") return { kind: "remove" };
  return { kind: method === "HEAD" ? "look" : "other" };
};

export async function ossStore(): Promise<Store> {
  const server = await spawnStrictOss();
  const proxy = await startProxy(server.endpoint, classify);
  const client = new AliOss({
    region: "oss-cn-hangzhou",
    ...TEST_ACCOUNT,
    bucket: BUCKET,
    endpoint: server.endpoint,
    authorizationV4: true,
  });
  const keys = async () => ((await client.list({ "max-keys": 1000 })).objects ?? []).map(({ name }) => name);
  const uploads = async () => (await client.listUploads({ "max-uploads": 1000 })).uploads ?? [];
  const dropUploads = async () => {
    for (const { name, uploadId } of await uploads()) await client.abortMultipartUpload(name, uploadId);
  };
  return {
    title: "the OSS stand-in",
    tripwire: proxy,
    kinds: ["part", "part", "part", "copy"],
    phases: ["asked", "within", "done", "told"],
    options: ["--segment-size", "1M"],
    environment: {
      OSS_ENDPOINT: proxy.url,
      OSS_REGION: "cn-hangzhou",
      OSS_ACCESS_KEY_ID: TEST_ACCOUNT.accessKeyId,
      OSS_ACCESS_KEY_SECRET: TEST_ACCOUNT.accessKeySecret,
    },
    sent: proxy.sent,
    place: (name) => `oss://${BUCKET}/${name}`,
    async digest(name) {
      if (!(await keys()).includes(name)) return undefined;
      const { content } = await client.get(name);
      return await sha256(
        (async function* () {
          yield content;
        })(),
      );
    },
    async orphans() {
      const zeros = (await keys()).filter((key) => key.includes(".zeros-"));
      return [...zeros, ...(await uploads()).map(({ name, uploadId }) => `upload ${uploadId} of ${name}`)];
    },
    async clear() {
      await dropUploads();
      for (const key of await keys()) await client.delete(key);
    },
    dropUploads,
    async [Symbol.asyncDispose]() {
      await proxy[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}
