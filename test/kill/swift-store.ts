/** OpenStack Swift under the campaign, by its own API. */
import { type SwiftServer, startSwift } from "../support/swift.ts";
import { type Classify, type Held, startProxy } from "./proxy.ts";
import { type Store, sha256 } from "./store.ts";

const CONTAINER = "images";
const SEGMENTS = "images_segments";

const classify: Classify = ({ method, url }) => {
  const { pathname, search } = new URL(url, "http://swift");
  const [, , , container, ...rest] = pathname.split("/");
  const name = rest.join("/");
  if (method === "PUT" && container === SEGMENTS) {
    if (/\/\d{8}$/.test(name)) return { kind: "part", part: name };
    if (name.includes("/zero/")) return { kind: "zeros" };
  }
  if (method === "PUT" && container === CONTAINER && name !== "") {
    return { kind: "complete" };
  }
  if (method === "GET" && container === SEGMENTS) return { kind: "list" };
  if (method === "DELETE" || (method === "POST" && search.includes("bulk-delete"))) return { kind: "remove" };
  if (method === "GET" && container === CONTAINER) return { kind: "read" };
  return { kind: method === "HEAD" ? "look" : "other" };
};

/** The store, and the server behind it. */
export interface SwiftStore extends Store {
  readonly swift: SwiftServer;
  /** The next request of this kind waits in front of it. */
  hold(kind: string): Held;
}

export async function swiftStore(): Promise<SwiftStore> {
  const swift = await startSwift();
  const account = await openAccount(swift);
  const proxy = await startProxy(swift.url, classify);
  await account.ask("PUT", `/${CONTAINER}`);
  await account.ask("PUT", `/${SEGMENTS}`);
  const segments = () => account.names(SEGMENTS);
  return {
    swift,
    hold: proxy.hold,
    title: "Swift",
    tripwire: proxy,
    kinds: ["part"],
    phases: ["asked", "within", "done", "told"],
    options: ["--segment-size", "1M"],
    environment: { ST_AUTH: `${proxy.url}/auth/v1.0`, ST_USER: swift.user, ST_KEY: swift.key },
    sent: proxy.sent,
    place: (name) => `swift://${CONTAINER}/${name}`,
    digest: (name) => account.digest(`/${CONTAINER}/${name}`),
    async orphans() {
      const used = new Set<string>();
      for (const name of await account.names(CONTAINER)) {
        for (const path of await account.manifest(`/${CONTAINER}/${name}`)) used.add(path);
      }
      return (await segments()).filter((name) => !used.has(`/${SEGMENTS}/${name}`));
    },
    async clear() {
      await account.clear(CONTAINER);
      await account.clear(SEGMENTS);
    },
    async dropUploads() {
      await account.clear(SEGMENTS);
    },
    async [Symbol.asyncDispose]() {
      await proxy[Symbol.asyncDispose]();
      await swift.stop();
    },
  };
}

/** The account of a Swift, without our own client. */
export async function openAccount(swift: SwiftServer) {
  const login = await fetch(swift.authUrl, {
    headers: { "x-auth-user": swift.user, "x-auth-key": swift.key },
  });
  const headers = { "x-auth-token": login.headers.get("x-auth-token") ?? "" };
  const ask = async (method: string, path: string): Promise<Response> => {
    const reply = await fetch(swift.storageUrl + path, { method, headers });
    if (!reply.ok && reply.status !== 404) throw new Error(`${method} ${path}: ${reply.status}`);
    return reply;
  };
  const names = async (container: string): Promise<string[]> => {
    const reply = await ask("GET", `/${encodeURIComponent(container)}?limit=10000`);
    return (await reply.text()).split("\n").filter((name) => name !== "" && reply.ok);
  };
  return {
    ask,
    names,
    async digest(path: string): Promise<string | undefined> {
      const reply = await ask("GET", path);
      if (reply.ok && reply.body !== null) return await sha256(reply.body);
      await reply.body?.cancel();
      return undefined;
    },
    /** Paths of the segments that a large object names. */
    async manifest(path: string): Promise<string[]> {
      const reply = await ask("GET", `${path}?multipart-manifest=get`);
      const entries = (await reply.json()) as readonly { readonly name: string }[];
      return entries.map(({ name }) => name);
    },
    async clear(container: string): Promise<void> {
      const path = `/${encodeURIComponent(container)}`;
      for (const name of await names(container)) {
        const reply = await ask("DELETE", `${path}/${encodeURIComponent(name)}`);
        await reply.body?.cancel();
      }
    },
  };
}
