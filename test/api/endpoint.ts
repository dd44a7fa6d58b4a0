/** The endpoint over a real record, on loopback, with three callers. */
import { createHash } from "node:crypto";
import { type Client, createClient, type Interceptor } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import type { AccessKey } from "../../src/api/access-key.ts";
import { AdminService } from "../../src/api/connect/generated/diskferry/v1/admin_service_pb.ts";
import { CatalogService } from "../../src/api/connect/generated/diskferry/v1/catalog_service_pb.ts";
import { RegionService } from "../../src/api/connect/generated/diskferry/v1/region_service_pb.ts";
import { TaskService } from "../../src/api/connect/generated/diskferry/v1/task_service_pb.ts";
import { Health } from "../../src/api/connect/generated/grpc/health/v1/health_pb.ts";
import type { Daemon } from "../../src/api/daemon.ts";
import { defectNote } from "../../src/api/defect.ts";
import type { Grants } from "../../src/api/identify.ts";
import { type DialectOptions, dialects } from "../../src/api/registry.ts";
import { LIMITS, type Limits, openServer, type Server, type ServerOptions } from "../../src/api/server.ts";
import type { TaskEvent } from "../../src/task/step.ts";
import { takeCensus } from "../../src/telemetry/census.ts";
import type { Log } from "../../src/telemetry/log.ts";
import { openMetrics } from "../../src/telemetry/metrics.ts";
import { accepted, applied, exportTask } from "../record/record-file.ts";
import { type World, world } from "../service/world.ts";

/** A user of p1, a user of p2, and an admin. */
export const TOKENS = { ann: "ann-token-1", bob: "bob-token-2", root: "root-token-3" } as const;

export const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");

export const GRANTS: Grants = {
  tokens: [
    { sha256: sha256(TOKENS.ann), name: "ann", project: "p1", role: "user" },
    { sha256: sha256(TOKENS.bob), name: "bob", project: "p2", role: "user" },
    { sha256: sha256(TOKENS.root), name: "root", project: "ops", role: "admin" },
  ],
  certificates: [],
};

/** Of a user of p1. */
export const KEY: AccessKey = {
  id: "AK-ann",
  secret: "secret-of-ann",
  name: "ann",
  project: "p1",
  role: "user",
  state: "enabled",
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
}

type Given = Partial<Omit<ServerOptions, "limits">> & {
  readonly limits?: Partial<Limits>;
  readonly keys?: readonly AccessKey[];
  readonly alibaba?: Partial<DialectOptions["alibaba"]>;
};

export async function endpoint({ limits, keys = [KEY], alibaba, ...options }: Given = {}): Promise<Endpoint> {
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
    handlers: dialects(
      {
        service: options.service ?? here.service,
        accessKeys: new Map(keys.map((key) => [key.id, key])),
        nonces: here.file.record,
        bodyBytes: LIMITS.bodyBytes,
        now: () => here.time,
        defect: defectNote(log),
      },
      { alibaba: { errorCodes: "2018", ...alibaba } },
    ),
    daemon: daemon(),
    audit: (entry) => here.file.record.audit(entry),
    metrics: { access: "callers", ...openMetrics(() => takeCensus(here.file.record)) },
    log,
    now: () => here.time,
    newId: () => {
      ids += 1;
      return `made-${ids}`;
    },
    ...options,
    limits: { graceMs: 5_000, ...limits },
  }).catch(async (error: unknown) => {
    await here[Symbol.asyncDispose]();
    throw error;
  });
  return {
    world: here,
    server,
    url: `http://127.0.0.1:${server.cleartext?.port}`,
    log: lines,
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      await here[Symbol.asyncDispose]();
    },
  };
}

/** A daemon that drains when it is told to, and is ready as long as it does not. */
export function daemon(): Daemon {
  let draining = false;
  const status = (state: "working" | "draining") => ({ state, running: 1 });
  return {
    unready: async () => (draining ? "draining" : undefined),
    async drain() {
      draining = true;
      return status("draining");
    },
    async resume() {
      draining = false;
      return status("working");
    },
  };
}

export const bearing =
  (token: string): Interceptor =>
  (next) =>
  (request) => {
    request.header.set("authorization", `Bearer ${token}`);
    return next(request);
  };

export interface Clients {
  readonly tasks: Client<typeof TaskService>;
  readonly catalog: Client<typeof CatalogService>;
  readonly regions: Client<typeof RegionService>;
  readonly admin: Client<typeof AdminService>;
  readonly health: Client<typeof Health>;
}

/** Connect's own clients, over HTTP/1.1. */
export function clients(url: string, token: string = TOKENS.ann): Clients {
  const transport = createConnectTransport({
    baseUrl: url,
    httpVersion: "1.1",
    interceptors: [bearing(token)],
  });
  return {
    tasks: createClient(TaskService, transport),
    catalog: createClient(CatalogService, transport),
    regions: createClient(RegionService, transport),
    admin: createClient(AdminService, transport),
    health: createClient(Health, transport),
  };
}

/** One unary call as curl would make it. */
export async function post(
  url: string,
  method: string,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
) {
  const reply = await fetch(`${url}/diskferry.v1.${method}`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${TOKENS.ann}`, ...headers },
    body: typeof body === "string" ? body : JSON.stringify(body),
  });
  return {
    status: reply.status,
    headers: reply.headers,
    body: (await reply.json()) as Readonly<Record<string, unknown>>,
  };
}

/** Accepts an export past all use cases, and takes it through these events. */
export async function taskIn({ world: { file } }: Endpoint, id: string, ...events: readonly TaskEvent[]) {
  const task = await accepted(file.record, exportTask({ id }));
  return events.length === 0 ? task : applied(file.record, id, ...events);
}
