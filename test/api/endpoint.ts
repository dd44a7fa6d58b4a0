/** The endpoint over a real record, on loopback, with three callers. */
import { createHash } from "node:crypto";
import { type Client, createClient, type Interceptor } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport } from "@connectrpc/connect-node";
import { TaskService } from "../../src/api/connect/generated/diskferry/v1/task_service_pb.ts";
import type { Grants } from "../../src/api/identify.ts";
import { openServer, type Server, type ServerOptions } from "../../src/api/server.ts";
import type { Log } from "../../src/telemetry/log.ts";
import { type World, world } from "../service/world.ts";

/** The tokens of a user of p1, a user of p2, and an admin. */
export const TOKENS = { ann: "ann-token-1", bob: "bob-token-2", root: "root-token-3" } as const;

const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");

export const GRANTS: Grants = {
  tokens: [
    { sha256: sha256(TOKENS.ann), name: "ann", project: "p1", role: "user" },
    { sha256: sha256(TOKENS.bob), name: "bob", project: "p2", role: "user" },
    { sha256: sha256(TOKENS.root), name: "root", project: "ops", role: "admin" },
  ],
  certificates: [],
};

export interface Logged {
  readonly level: string;
  readonly event: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

export interface Endpoint extends AsyncDisposable {
  readonly world: World;
  readonly server: Server;
  /** Of the cleartext port. */
  readonly url: string;
  readonly log: readonly Logged[];
  tasks(token?: string): Client<typeof TaskService>;
}

export async function endpoint(options: Partial<ServerOptions> = {}): Promise<Endpoint> {
  const here = await world();
  const lines: Logged[] = [];
  const log: Log = {
    note: (level, event, fields) => void lines.push({ level, event, fields }),
    [Symbol.dispose]() {},
  };
  let ids = 0;
  const server = await openServer({
    cleartext: { host: "127.0.0.1", port: 0 },
    grants: GRANTS,
    service: here.service,
    log,
    now: () => here.time,
    newId: () => {
      ids += 1;
      return `made-${ids}`;
    },
    ...options,
    limits: { graceMs: 2_000, ...options.limits },
  });
  const url = `http://127.0.0.1:${server.cleartext?.port}`;
  return {
    world: here,
    server,
    url,
    log: lines,
    tasks: (token = TOKENS.ann) =>
      createClient(
        TaskService,
        createConnectTransport({ baseUrl: url, httpVersion: "1.1", interceptors: [bearing(token)] }),
      ),
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      await here[Symbol.asyncDispose]();
    },
  };
}

export function grpcTasks(url: string, token: string = TOKENS.ann): Client<typeof TaskService> {
  return createClient(TaskService, createGrpcTransport({ baseUrl: url, interceptors: [bearing(token)] }));
}

function bearing(token: string): Interceptor {
  return (next) => (request) => {
    request.header.set("authorization", `Bearer ${token}`);
    return next(request);
  };
}

/** One unary call of Connect as curl would make it. */
export async function post(here: Endpoint, method: string, body: unknown, token: string = TOKENS.ann) {
  const reply = await fetch(`${here.url}/diskferry.v1.${method}`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${token}` },
    body: JSON.stringify(body),
  });
  return { status: reply.status, headers: reply.headers, body: (await reply.json()) as unknown };
}
