import { describe, expect, it } from "vitest";
import { openServerLog } from "../../src/telemetry/server-log.ts";

const logged = async (level: "info" | "debug", fields: Readonly<Record<string, unknown>>) => {
  const lines: string[] = [];
  using log = await openServerLog({ write: (line) => lines.push(line) }, level);
  log.note("debug", "detail", fields);
  log.note("info", "call", fields);
  return lines.map((line) => JSON.parse(line) as Readonly<Record<string, unknown>>);
};

describe("the log of a daemon", () => {
  it("is one JSON object a line, with level, time and event", async () => {
    const [line, ...rest] = await logged("info", { requestId: "r-1", status: 200 });
    expect(line).toMatchObject({
      level: "info",
      event: "call",
      requestId: "r-1",
      status: 200,
      pid: process.pid,
    });
    expect(Date.parse(String(line?.["time"]))).not.toBeNaN();
    expect(rest).toEqual([]);
  });

  it("tells details only when asked", async () => {
    expect((await logged("debug", {})).map(({ event }) => event)).toEqual(["detail", "call"]);
  });

  it("has no secret, neither in a URL nor by its name, however deep", async () => {
    const secret = "hunter2";
    const lines = await logged("debug", {
      url: `https://ann:${secret}@host/x?sig=${secret}`,
      headers: { Authorization: secret, cookie: secret, accept: "all" },
      list: [{ accessKeySecret: secret, password: secret, Password: secret, token: secret }],
    });
    expect(JSON.stringify(lines)).not.toContain(secret);
    expect(lines[0]).toMatchObject({ url: "https://…@host/x?…", headers: { accept: "all" } });
  });
});
