import { describe, expect, it } from "vitest";
import type { Census } from "../../src/telemetry/census.ts";
import { openMetrics } from "../../src/telemetry/metrics.ts";

const EMPTY: Census = { tasks: [], queued: [], slots: [] };

const linesOf = async (metrics: { read(): Promise<string> }) => (await metrics.read()).split("\n");

describe("what runs tell", () => {
  it("is counted by kind", async () => {
    const metrics = openMetrics(async () => EMPTY);
    metrics.started("copy", 20);
    metrics.started("copy");
    metrics.ended("copy", "succeeded", 4000);
    metrics.moved("copy", "sent", 100);
    metrics.moved("copy", "sent", 23);
    metrics.retried("copy", "NETWORK");
    metrics.called("swift", "put", "done", 0.05);
    const lines = await linesOf(metrics);
    expect(lines).toContain('diskferry_runs_started_total{kind="copy"} 2');
    expect(lines).toContain('diskferry_task_wait_seconds_count{kind="copy"} 1');
    expect(lines).toContain('diskferry_task_wait_seconds_bucket{le="60",kind="copy"} 1');
    expect(lines).toContain('diskferry_run_seconds_sum{kind="copy",outcome="succeeded"} 4000');
    expect(lines).toContain('diskferry_bytes_total{kind="copy",stage="sent"} 123');
    expect(lines).toContain('diskferry_retries_total{kind="copy",code="NETWORK"} 1');
    expect(lines).toContain('diskferry_store_seconds_count{provider="swift",operation="put",code="done"} 1');
  });

  it.each([
    [0, "queued"],
    [1, "0-10"],
    [10, "0-10"],
    [40, "11-40"],
    [70, "41-70"],
    [95, "71-95"],
    [96, "96-99"],
    [99, "96-99"],
  ])("of a cancel that stopped at %i is counted as %s", async (stopAt, band) => {
    const metrics = openMetrics(async () => EMPTY);
    metrics.canceled("export", stopAt, 3);
    expect(await linesOf(metrics)).toContain(`diskferry_cancel_seconds_sum{kind="export",band="${band}"} 3`);
  });
});

describe("the census", () => {
  it("is of the moment: what is gone leaves nothing", async () => {
    const east = { kind: "copy", region: "east", state: "queued", count: 3 } as const;
    const slots = [{ kind: "copy", region: "east", count: 5, used: 2 }] as const;
    let census: Census = { tasks: [east], queued: [{ kind: "copy", count: 3 }], slots };
    const metrics = openMetrics(async () => census);
    expect(await linesOf(metrics)).toContain('diskferry_tasks{kind="copy",region="east",state="queued"} 3');
    census = EMPTY;
    expect(await metrics.read()).not.toContain("east");
  });

  it("that fails is no exposition", async () => {
    const metrics = openMetrics(() => Promise.reject(new Error("the record is closed")));
    await expect(metrics.read()).rejects.toThrow("the record is closed");
  });
});
