import { Code } from "@connectrpc/connect";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { HealthCheckResponse_ServingStatus as Status } from "../../src/api/connect/generated/grpc/health/v1/health_pb.ts";
import { ALL, applied } from "../record/record-file.ts";
import { clients, type Endpoint, endpoint, TOKENS, taskIn } from "./endpoint.ts";

let here: Endpoint;
beforeEach(async () => {
  here = await endpoint({ limits: { healthMs: 5 } });
});
afterEach(() => here[Symbol.asyncDispose]());

const get = async (path: string, token?: string) => {
  const headers: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const reply = await fetch(here.url + path, { headers });
  return { status: reply.status, text: await reply.text(), type: reply.headers.get("content-type") };
};
const drain = () => clients(here.url, TOKENS.root).admin.drain({});

describe("a probe", () => {
  it("finds the daemon alive and ready, without a token", async () => {
    expect(await get("/healthz")).toMatchObject({ status: 200, text: "ok\n" });
    expect(await get("/readyz")).toMatchObject({ status: 200, text: "ok\n" });
  });

  it("finds it alive and not ready while it drains", async () => {
    await drain();
    expect((await get("/healthz")).status).toBe(200);
    expect(await get("/readyz")).toMatchObject({ status: 503, text: "draining\n" });
  });

  it("of gRPC sees the same, and its change", async () => {
    const { health } = clients(here.url);
    expect((await health.check({})).status).toBe(Status.SERVING);
    const seen: Status[] = [];
    for await (const { status } of health.watch({})) {
      seen.push(status);
      if (seen.length === 2) break;
      await drain();
    }
    expect(seen).toEqual([Status.SERVING, Status.NOT_SERVING]);
  });

  it("of gRPC watches for callers only, and knows which services there are", async () => {
    const nobody = Array.fromAsync(clients(here.url, "forged").health.watch({}));
    await expect(nobody).rejects.toMatchObject({ code: Code.Unauthenticated });
    for await (const { status } of clients(here.url).health.watch({ service: "nothing" })) {
      expect(status).toBe(Status.SERVICE_UNKNOWN);
      break;
    }
  });
});

describe("metrics", () => {
  it("are for callers, unless they are open to all", async () => {
    expect((await get("/metrics")).status).toBe(401);
    expect(await get("/metrics", TOKENS.ann)).toMatchObject({
      status: 200,
      type: expect.stringContaining("text/plain; version=0.0.4"),
    });
    await using open = await endpoint({
      metrics: { access: "open", contentType: "text/plain", read: async () => "up 1\n", answered() {} },
    });
    expect(await (await fetch(`${open.url}/metrics`)).text()).toBe("up 1\n");
  });

  it("count tasks, slots and calls", async () => {
    const { record } = here.world.file;
    await taskIn(here, "t-1");
    await taskIn(here, "t-2");
    await record.claim({ ...ALL, most: 1 });
    await applied(record, "t-1", { kind: "cancel-accepted" });
    await clients(here.url)
      .tasks.getTask({ id: "t-9" })
      .catch(() => {});
    await expect.poll(() => here.log.length).toBe(1);
    const { text } = await get("/metrics", TOKENS.ann);
    const lines = text.split("\n");
    expect(lines).toContain('diskferry_tasks{kind="export",region="east",state="queued"} 1');
    expect(lines).toContain('diskferry_tasks{kind="export",region="east",state="cancelling"} 1');
    expect(lines).toContain('diskferry_tasks{kind="copy",region="west",state="queued"} 0');
    expect(lines).toContain('diskferry_queue_length{kind="export"} 1');
    expect(lines).toContain('diskferry_slots{kind="export",region="east"} 5');
    expect(lines).toContain('diskferry_slots_in_use{kind="export",region="east"} 1');
    const call = 'path="/diskferry.v1.TaskService/GetTask",code="not_found"';
    expect(lines).toContain(`diskferry_call_seconds_count{${call}} 1`);
    expect(text).toContain("process_resident_memory_bytes");
  });

  it("do not grow with what strangers ask for", async () => {
    for (let count = 0; count < 20; count += 1) await get(`/nothing/${count}`);
    await expect.poll(() => here.log.length).toBe(20);
    const { text } = await get("/metrics", TOKENS.ann);
    expect(text.match(/diskferry_call_seconds_count/g)).toHaveLength(1);
    expect(text).toContain('diskferry_call_seconds_count{path="unknown",code="not_found"} 20');
  });
});
