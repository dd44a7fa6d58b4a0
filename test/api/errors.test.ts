import { Code, ConnectError } from "@connectrpc/connect";
import { afterEach, describe, expect, it } from "vitest";
import type { HttpHandler } from "../../src/api/call.ts";
import { connectError } from "../../src/api/connect/connect-error.ts";
import { ErrorInfoSchema } from "../../src/api/connect/generated/diskferry/v1/error_pb.ts";
import { FAULT_CODES, Fault, type FaultCode } from "../../src/fault/fault.ts";
import { clients, type Endpoint, endpoint, post, TOKENS } from "./endpoint.ts";

const infoOf = (error: ConnectError) => error.findDetails(ErrorInfoSchema)[0];

describe("a fault becomes an error of Connect", () => {
  it.each<[FaultCode, Code]>([
    ["USAGE", Code.InvalidArgument],
    ["NOT_FOUND", Code.NotFound],
    ["ALREADY_EXISTS", Code.AlreadyExists],
    ["PRECONDITION", Code.FailedPrecondition],
    ["CONFLICT", Code.Aborted],
    ["QUOTA_EXCEEDED", Code.ResourceExhausted],
    ["IDEMPOTENCY_MISMATCH", Code.InvalidArgument],
    ["PERMISSION", Code.PermissionDenied],
    ["THROTTLED", Code.ResourceExhausted],
    ["STORE_UNAVAILABLE", Code.Unavailable],
    ["TIMEOUT", Code.DeadlineExceeded],
    ["CANCELED", Code.Canceled],
  ])("%s", (code, expected) => {
    expect(connectError(new Fault(code, "words"), "r-1").code).toBe(expected);
  });

  it.each(Object.keys(FAULT_CODES) as FaultCode[])("%s with its own code in the detail", (code) => {
    const error = connectError(new Fault(code, "words"), "r-1");
    expect(infoOf(error)).toMatchObject({ code, retryable: FAULT_CODES[code].retry });
  });

  it("with reason, data and the moment of a retry", () => {
    const details = { reason: "quota-images", most: 100 };
    const error = connectError(new Fault("QUOTA_EXCEEDED", "full", { details, retryAfterMs: 1500 }), "r-1");
    expect(infoOf(error)).toMatchObject({
      reason: "quota-images",
      metadata: { most: "100" },
      retryAfter: { seconds: 1n, nanos: 500_000_000 },
    });
    expect(error.metadata.get("retry-after")).toBe("2");
    expect(error.rawMessage).toBe("full");
  });

  it("that tells strangers nothing of a defect but where to look", () => {
    const error = connectError(new TypeError("cannot read /etc/secret"), "r-1");
    expect([error.code, infoOf(error)?.code]).toEqual([Code.Internal, "INTERNAL"]);
    expect(error.rawMessage).toContain("r-1");
    expect(JSON.stringify([error.rawMessage, infoOf(error)?.metadata])).not.toContain("secret");
  });

  it("and what is one already gets the detail that it lacks", () => {
    const error = connectError(new ConnectError("words", Code.ResourceExhausted), "r-1");
    expect([error.rawMessage, infoOf(error)?.code]).toEqual(["words", "LIMIT_EXCEEDED"]);
    expect(connectError(error, "r-1")).toBe(error);
  });
});

describe("a defect", () => {
  let here: Endpoint;
  afterEach(() => here[Symbol.asyncDispose]());

  it("is logged with its cause, and told without", async () => {
    here = await endpoint();
    const { service } = here.world;
    await using broken = await endpoint({
      service: { ...service, getTask: () => Promise.reject(new TypeError("the disk is on fire")) },
    });
    const { status, body } = await post(broken.url, "TaskService/GetTask", { id: "t" });
    expect([status, body["code"]]).toEqual([500, "internal"]);
    expect(JSON.stringify(body)).not.toContain("fire");
    const defects = broken.log.filter(({ event }) => event === "defect");
    expect(defects).toMatchObject([{ level: "error", fields: { requestId: "made-1" } }]);
    expect(String(defects[0]?.fields["error"])).toContain("the disk is on fire");
  });

  it("in a stream is logged and told likewise", async () => {
    here = await endpoint();
    const broken = () => ({
      [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(new TypeError("the disk is on fire")) }),
    });
    await using server = await endpoint({ service: { ...here.world.service, watch: broken } });
    const reply = await fetch(`${server.url}/v1/events`, {
      headers: { authorization: `Bearer ${TOKENS.ann}` },
    });
    expect(await reply.text()).toMatch(
      /event: error\ndata: \{"code":"internal","message":"something went wrong/,
    );
    const watching = Array.fromAsync(clients(server.url).tasks.watchTasks({}));
    await expect(watching).rejects.toMatchObject({ code: Code.Internal });
    expect(server.log.filter(({ event }) => event === "defect")).toHaveLength(2);
  });

  it("in a dialect does not end the server", async () => {
    const dialect: HttpHandler = {
      name: "dialect",
      matches: ({ url }) => url?.startsWith("/dialect") === true,
      handle: () => Promise.reject(new Error("broken")),
    };
    here = await endpoint({ handlers: [dialect] });
    expect((await fetch(`${here.url}/dialect/x`)).status).toBe(500);
    expect((await fetch(`${here.url}/healthz`)).status).toBe(200);
  });
});

describe("a dialect", () => {
  it("answers beside Connect, and knows the request by its name", async () => {
    await using here = await endpoint({
      handlers: [
        {
          name: "dialect",
          matches: ({ url }) => url === "/dialect",
          async handle(_, response, { requestId, caller }) {
            response.end(`${requestId} ${caller?.name}`);
          },
        },
      ],
    });
    const headers = { "x-request-id": "r-7", authorization: `Bearer ${TOKENS.bob}` };
    expect(await (await fetch(`${here.url}/dialect`, { headers })).text()).toBe("r-7 bob");
    await expect.poll(() => here.log.at(-1)?.fields).toMatchObject({ operation: "dialect", status: 200 });
  });
});
