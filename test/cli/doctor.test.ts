import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { Program } from "./program.ts";

interface Report {
  readonly ok: boolean;
  readonly findings: readonly { readonly name: string; readonly state: string; readonly text: string }[];
}

function finding(stdout: string, name: string) {
  return (JSON.parse(stdout) as Report).findings.find((each) => each.name === name);
}

describe("diskferry doctor", () => {
  it("measures what transfers are made of", async () => {
    using program = new Program();
    const { status, stdout } = await program.run("doctor", "--json");
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ ok: true });
    for (const name of ["inflate", "compress", "zstd", "md5", "crc64", "guest digest"])
      expect(finding(stdout, name)).toMatchObject({ state: "ok", bytesPerSecond: expect.any(Number) });
  });

  it("asks nothing of stores that nobody configured", async () => {
    using program = new Program();
    const { stdout } = await program.run("doctor");
    for (const name of ["swift", "s3", "oss"])
      expect(stdout).toMatch(new RegExp(`^not configured +${name} `, "m"));
  });

  it("ends with status 1 when a configured store does not work, and says in one line why", async () => {
    using program = new Program({ AWS_ACCESS_KEY_ID: "half-a-pair" });
    const { status, stdout } = await program.run("doctor", "--json");
    expect(status).toBe(1);
    expect(finding(stdout, "s3")).toMatchObject({
      state: "failed",
      text: expect.stringMatching(/^S3: AWS_SECRET_ACCESS_KEY is not set.*\[CREDENTIALS\]$/),
    });
  });

  it("counts unfinished transfers", async () => {
    using program = new Program();
    const state = program.path("state/diskferry");
    mkdirSync(state, { recursive: true });
    writeFileSync(join(state, "0123.journal"), "");
    const { stdout } = await program.run("doctor", "--json");
    expect(finding(stdout, "state")).toMatchObject({
      state: "ok",
      text: expect.stringContaining("1 unfinished"),
    });
  });

  it("finds a state directory that cannot be made", async () => {
    using program = new Program();
    writeFileSync(program.path("state"), "a file in the way");
    const { status, stdout } = await program.run("doctor", "--json");
    expect([status, finding(stdout, "state")]).toMatchObject([1, { state: "failed" }]);
  });
});
