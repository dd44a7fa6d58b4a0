/** docs/endpoint.md says what is true: of methods, codes, metrics and bounds. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Code } from "@connectrpc/connect";
import { codeToHttpStatus, codeToString } from "@connectrpc/connect/protocol-connect";
import { describe, expect, it } from "vitest";
import { connectError } from "../../src/api/connect/connect-error.ts";
import { AdminService } from "../../src/api/connect/generated/diskferry/v1/admin_service_pb.ts";
import { CatalogService } from "../../src/api/connect/generated/diskferry/v1/catalog_service_pb.ts";
import { RegionService } from "../../src/api/connect/generated/diskferry/v1/region_service_pb.ts";
import { TaskService } from "../../src/api/connect/generated/diskferry/v1/task_service_pb.ts";
import { LIMITS } from "../../src/api/server.ts";
import { FAULT_CODES, Fault, type FaultCode } from "../../src/fault/fault.ts";
import { type Reason, refusal } from "../../src/service/refusal.ts";
import { openMetrics } from "../../src/telemetry/metrics.ts";

const reference = readFileSync(join(import.meta.dirname, "../../docs/endpoint.md"), "utf8");

function section(heading: string): string {
  const start = reference.indexOf(`\n## ${heading}`);
  const end = reference.indexOf("\n## ", start + 1);
  return reference.slice(start, end === -1 ? undefined : end);
}

describe("docs/endpoint.md", () => {
  it.each(
    [TaskService, CatalogService, RegionService, AdminService].map(
      (service) => [service.name, service] as const,
    ),
  )("names every method of %s, and no other", (name, service) => {
    const rows = section("Services")
      .split("\n")
      .filter((row) => row.includes(`\`${name}.`));
    const named = rows.flatMap((row) =>
      [...row.matchAll(/\.([A-Z][A-Za-z]+)`/g)].map(([, method]) => method),
    );
    expect(named.toSorted()).toEqual(service.methods.map((method) => method.name).toSorted());
  });

  it("says which code becomes which, and with which status", () => {
    const rows = [...section("Errors").matchAll(/^\| `([a-z_]+)` \| (\d+) \| (.+) \|$/gm)];
    const said = rows.flatMap(([, code, status, ours = ""]) =>
      [...ours.matchAll(/`([A-Z_]+)`/g)].map(([, fault]) => `${fault} ${code} ${status}`),
    );
    const codes = Object.keys(FAULT_CODES) as FaultCode[];
    const true_ = codes.map((fault) => {
      const { code } = connectError(new Fault(fault, ""), "");
      return `${fault} ${codeToString(code)} ${codeToHttpStatus(code)}`;
    });
    const unknownCaller = `CREDENTIALS ${codeToString(Code.Unauthenticated)} 401`;
    expect(said.toSorted()).toEqual([...true_, unknownCaller].toSorted());
  });

  it("says with which code a copy is refused for which reason", () => {
    const rows = [...section("Encrypted copies").matchAll(/^\| (`[a-z-]+`.*) \| `([A-Z_]+)` \| .+ \|$/gm)];
    const said = rows.flatMap(([, reasons = "", code]) =>
      [...reasons.matchAll(/`([a-z-]+)`/g)].map(([, reason]) => [reason, code]),
    );
    expect(said.length).toBeGreaterThan(10);
    expect(said).toEqual(said.map(([reason]) => [reason, refusal(reason as Reason, "").code]));
  });

  it("names every metric, and no other", async () => {
    const text = await openMetrics(async () => ({ tasks: [], queued: [], slots: [] })).read();
    const there = [...text.matchAll(/^# TYPE (diskferry_\S+)/gm)].map(([, name]) => name);
    const named = [...section("Metrics").matchAll(/`(diskferry_[a-z_]+)`/g)].map(([, name]) => name);
    expect(named.toSorted()).toEqual(there.toSorted());
  });

  it("says which bounds there are", () => {
    const { headersMs, requestMs, idleMs, connections, streams, watchers, bodyBytes, writeMs } = LIMITS;
    const count = (number: number) => number.toLocaleString("en");
    expect(section("Bounds").replaceAll("\n", " ")).toContain(
      [
        ` A message has at most ${bodyBytes / 1024 ** 2} MiB, compressed or not.`,
        ` Headers have ${headersMs / 1000} seconds to arrive and at most 16 KiB; a whole request has ${requestMs / 1000} seconds.`,
        ` A connection without a request ends after ${idleMs / 1000} seconds.`,
        ` There are at most ${count(connections)} connections, ${streams} requests at once on one connection of HTTP/2,`,
        ` and ${count(watchers)} watchers of \`/v1/events\`.`,
      ].join(""),
    );
    expect(section("Watching")).toContain(`after ${writeMs / 1000} seconds`);
  });
});
