import { randomFillSync } from "node:crypto";
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { events, Program } from "./program.ts";

const MiB = 1024 ** 2;

describe.each([
  ["flat", ["--format", "raw"]],
  ["packed", ["--format", "qcow2"]],
])("a %s transfer that is interrupted", (_shape, format) => {
  it.each(["SIGINT", "SIGTERM"] as const)(
    "ends on %s with status 130 and without the final name, and goes on when it is repeated",
    async (signal) => {
      using program = new Program();
      writeFileSync(program.path("disk.raw"), randomFillSync(Buffer.alloc(24 * MiB)));
      const command = [
        "transfer",
        "disk.raw",
        "out",
        "--segment-size",
        "1M",
        "--concurrency",
        "2",
        "--json",
        ...format,
      ];

      const running = program.start(...command, "--bandwidth", "8M");
      await running.until(({ event, committed }) => event === "progress" && Number(committed) > 0);
      running.kill(signal);
      const stopped = await running.ended;
      expect(stopped.status).toBe(130);
      expect(events(stopped.stdout).at(-1)).toMatchObject({ event: "error", code: "CANCELED" });
      expect(existsSync(program.path("out"))).toBe(false);

      const repeated = await program.run(...command, "--verify");
      expect(repeated.status).toBe(0);
      const seen = events(repeated.stdout);
      expect(seen.find(({ event }) => event === "resume")?.["landed"]).toBeGreaterThan(0);
      expect(seen.at(-1)).toMatchObject({ event: "done", verified: true });
      // What had landed is not sent again.
      expect(Number(seen.at(-1)?.["sent"])).toBeLessThan(24 * MiB);
      expect(readdirSync(program.root).filter((name) => name.includes("out"))).toEqual(["out"]);
    },
  );
});

describe("an unfinished transfer", () => {
  it("is gone on with by the same request only, and discarded by --restart", async () => {
    using program = new Program();
    writeFileSync(program.path("disk.raw"), randomFillSync(Buffer.alloc(16 * MiB)));
    const command = ["transfer", "disk.raw", "out", "--segment-size", "1M", "--json"];
    const running = program.start(...command, "--bandwidth", "8M");
    await running.until(({ event, committed }) => event === "progress" && Number(committed) > 0);
    running.kill("SIGINT");
    await running.ended;

    const other = await program.run("transfer", "disk.raw", "out", "--segment-size", "2M", "--json");
    expect([other.status, events(other.stdout).at(-1)]).toEqual([
      1,
      expect.objectContaining({ code: "ALREADY_EXISTS" }),
    ]);

    const anew = await program.run(...command, "--restart");
    expect(anew.status).toBe(0);
    expect(events(anew.stdout).some(({ event }) => event === "resume")).toBe(false);
  });
});
