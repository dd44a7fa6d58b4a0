import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { Client, credentials, Metadata, type ServiceError } from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ErrorInfoSchema } from "../../src/api/connect/generated/diskferry/v1/error_pb.ts";
import {
  GetTaskRequestSchema,
  GetTaskResponseSchema,
  WatchTaskRequestSchema,
  WatchTaskResponseSchema,
} from "../../src/api/connect/generated/diskferry/v1/task_service_pb.ts";
import { type Endpoint, endpoint, TOKENS, taskIn } from "./endpoint.ts";
import {
  BUF_MISSING,
  buf,
  type Certificates,
  CURL,
  certificates,
  OPENSSL,
  PROTO,
  run,
  tlsAddress,
} from "./programs.ts";

const AUTHORIZATION = `authorization: Bearer ${TOKENS.ann}`;
const GET = "diskferry.v1.TaskService/GetTask";
const WATCH = "diskferry.v1.TaskService/WatchTask";

let made: Certificates | undefined;
let here: Endpoint;
beforeAll(async () => {
  made = OPENSSL === "" ? await certificates() : undefined;
  here = await endpoint(made === undefined ? {} : { tls: tlsAddress(made) });
  await taskIn(here, "t-1", { kind: "cancel-accepted" });
});
afterAll(async () => {
  await here[Symbol.asyncDispose]();
  await made?.[Symbol.asyncDispose]();
});

const authority = () => `${made?.directory}/authority.crt`;
const address = (port: "cleartext" | "tls") =>
  port === "cleartext" ? here.url : `https://127.0.0.1:${here.server.tls?.port}`;

describe.skipIf(BUF_MISSING !== "")(`buf curl${BUF_MISSING}`, () => {
  const call = (port: "cleartext" | "tls", protocol: string, method: string, body: object) => {
    const trust = port === "tls" ? ["--cacert", authority()] : [];
    const ask = ["--schema", PROTO, "--protocol", protocol, "--header", AUTHORIZATION, ...trust];
    return buf("curl", ...ask, "--data", JSON.stringify(body), `${address(port)}/${method}`);
  };

  describe.each(["connect", "grpc", "grpcweb"])("with %s", (protocol) => {
    const ports = OPENSSL === "" ? (["cleartext", "tls"] as const) : (["cleartext"] as const);

    it.each(ports)("reads a task on the %s port", async (port) => {
      const { stdout, status } = await call(port, protocol, GET, { id: "t-1" });
      expect(JSON.parse(stdout)).toMatchObject({ task: { id: "t-1", state: "TASK_STATE_CANCELED" } });
      expect(status).toBe(0);
    });

    it.each(ports)("watches a task on the %s port", async (port) => {
      const { stdout, status } = await call(port, protocol, WATCH, { id: "t-1" });
      expect([JSON.parse(stdout), status]).toMatchObject([{ task: { id: "t-1" } }, 0]);
    });

    it.each(ports)("is told what is wrong on the %s port", async (port) => {
      const { status, stderr } = await call(port, protocol, GET, { id: "t-9" });
      expect(JSON.parse(stderr)).toMatchObject({ code: "not_found", message: "there is no task t-9" });
      // Eight times the code of gRPC.
      expect(status).toBe(40);
    });

    it.each(ports)("is told what is wrong with a stream on the %s port", async (port) => {
      const { stderr } = await call(port, protocol, WATCH, { id: "t-9" });
      expect(JSON.parse(stderr)).toMatchObject({ code: "not_found" });
    });
  });
});

describe.skipIf(CURL !== "")(`curl${CURL}`, () => {
  const JSON_BODY = ["-sS", "-H", "content-type: application/json", "-d", '{"id":"t-1"}'];

  it.each([
    ["HTTP/1.1", ["--http1.1"], "1.1"],
    ["HTTP/2 without TLS", ["--http2-prior-knowledge"], "2"],
    ["an upgrade that is not taken up", ["--http2"], "1.1"],
  ])("reads a task over %s", async (_, args, version) => {
    const shown = ["-w", "\n%{http_version} %{http_code}", "-H", AUTHORIZATION];
    const { stdout } = await run("curl", [...args, ...JSON_BODY, ...shown, `${here.url}/${GET}`]);
    const [body = "", status] = stdout.split("\n");
    expect(JSON.parse(body)).toMatchObject({ task: { id: "t-1", progress: 0 } });
    expect(status).toBe(`${version} 200`);
  });

  it.skipIf(OPENSSL !== "").each([
    ["--http1.1", "1.1"],
    ["--http2", "2"],
  ])(`reads a task over TLS with %s${OPENSSL}`, async (how, version) => {
    const shown = ["-w", "\n%{http_version} %{http_code}", "-H", AUTHORIZATION, "--cacert", authority()];
    const { stdout } = await run("curl", [how, ...JSON_BODY, ...shown, `${address("tls")}/${GET}`]);
    expect(stdout.split("\n")[1]).toBe(`${version} 200`);
  });
});

describe("gRPC's own client", () => {
  let client: Client;
  beforeAll(() => {
    client = new Client(here.url.replace("http://", ""), credentials.createInsecure());
  });
  afterAll(() => client.close());

  const metadata = new Metadata();
  metadata.set("authorization", `Bearer ${TOKENS.ann}`);
  const get = (id: string) =>
    new Promise((resolve, reject) => {
      client.makeUnaryRequest(
        `/${GET}`,
        (text: string) => Buffer.from(toBinary(GetTaskRequestSchema, { ...EMPTY_GET, id: text })),
        (bytes) => fromBinary(GetTaskResponseSchema, bytes),
        id,
        metadata,
        (error, reply) => (error === null ? resolve(reply) : reject(error)),
      );
    });
  const EMPTY_GET = fromBinary(GetTaskRequestSchema, new Uint8Array());
  const EMPTY_WATCH = fromBinary(WatchTaskRequestSchema, new Uint8Array());

  it("D13: reads a task", async () => {
    expect(await get("t-1")).toMatchObject({ task: { id: "t-1" } });
  });

  it("is told what is wrong, with the detail", async () => {
    const error = (await get("t-9").catch((thrown: unknown) => thrown)) as ServiceError;
    expect(error).toMatchObject({ code: 5, details: "there is no task t-9" });
    const [status] = error.metadata.get("grpc-status-details-bin");
    const name = Buffer.from("type.googleapis.com/diskferry.v1.ErrorInfo");
    expect((status as Buffer).includes(name)).toBe(true);
    expect(
      (status as Buffer).includes(toBinary(ErrorInfoSchema, infoOf("task-not-found")).subarray(0, 10)),
    ).toBe(true);
  });

  it("watches a task", async () => {
    const stream = client.makeServerStreamRequest(
      `/${WATCH}`,
      (id: string) => Buffer.from(toBinary(WatchTaskRequestSchema, { ...EMPTY_WATCH, id })),
      (bytes) => fromBinary(WatchTaskResponseSchema, bytes),
      "t-1",
      metadata,
    );
    const seen: unknown[] = [];
    for await (const message of stream) seen.push(message);
    expect(seen).toMatchObject([{ task: { id: "t-1" } }]);
  });
});

function infoOf(reason: string) {
  return { ...fromBinary(ErrorInfoSchema, new Uint8Array()), code: "NOT_FOUND", reason };
}

describe("the health protocol", () => {
  const check = async (service: string, headers: Record<string, string> = {}) => {
    const reply = await fetch(`${here.url}/grpc.health.v1.Health/Check`, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body: JSON.stringify({ service }),
    });
    return [reply.status, await reply.json()];
  };

  it("answers probes that bring no token", async () => {
    expect(await check("")).toEqual([200, { status: "SERVING" }]);
    expect(await check("diskferry.v1.TaskService")).toEqual([200, { status: "SERVING" }]);
    expect(await check("diskferry.v1.Nothing")).toMatchObject([404, { code: "not_found" }]);
  });
});
