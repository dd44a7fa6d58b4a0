import { readdirSync, writeFileSync } from "node:fs";
import { afterEach, describe, expect, it } from "vitest";
import { events, Program } from "./program.ts";

describe("diskferry demo", () => {
  let program: Program;
  afterEach(() => program[Symbol.dispose]());

  it("takes a disk to qcow2 and back, proves it, and leaves nothing behind", async () => {
    program = new Program();
    const { status, stdout, stderr } = await program.run("demo", "--json");
    expect([status, stderr]).toEqual([0, ""]);
    const seen = events(stdout);
    expect(seen.filter(({ event }) => event === "step").map(({ step }) => step)).toEqual([
      "make",
      "convert",
      "convert",
      "compare",
      "hash",
    ]);
    expect(seen.at(-1)).toMatchObject({
      event: "done",
      disk: { size: 268_435_456 },
      guestDigest: expect.stringMatching(/^xxh3sum:/),
      sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
    expect(readdirSync(program.root)).toEqual([]);
  });

  it("lets a daemon move the disk, proves that all came out as it went in, and leaves nothing behind", async () => {
    program = new Program();
    const { status, stdout, stderr } = await program.run("demo", "--daemon", "--json");
    expect([status, stderr]).toEqual([0, ""]);
    const seen = events(stdout);
    expect(seen.filter(({ event }) => event === "step").map(({ step }) => step)).toEqual([
      ...["make", "serve", "import", "export", "copy", "compare"],
    ]);
    expect(seen.filter(({ state }) => state === "TASK_STATE_SUCCEEDED").map(({ kind }) => kind)).toEqual(
      ["IMPORT", "EXPORT", "EXPORT", "COPY", "EXPORT"].map((kind) => `TASK_KIND_${kind}`),
    );
    expect(seen.at(-1)).toMatchObject({
      event: "done",
      files: { length: 3 },
      guestDigest: expect.stringMatching(/^xxh3sum:/),
    });
    expect(readdirSync(program.root)).toEqual([]);
  });

  it("keeps the images where it is told to", async () => {
    program = new Program();
    const { status } = await program.run("demo", "--json", "--keep", "kept");
    expect(status).toBe(0);
    expect(readdirSync(program.path("kept")).sort()).toEqual(["back.raw", "disk.qcow2", "disk.raw"]);
    expect(readdirSync(program.root)).toEqual(["kept"]);
  });

  it.each([
    ["by itself", []],
    ["with a daemon", ["--daemon"]],
  ])("names the place where it cannot keep them, %s", async (_how, more) => {
    program = new Program();
    writeFileSync(program.path("taken"), "mine");
    const { status, stderr } = await program.run("demo", "--keep", "taken", ...more);
    expect([status, stderr]).toEqual([
      1,
      expect.stringMatching(/^diskferry: .*taken: file already exists \[ALREADY_EXISTS\]\n$/),
    ]);
    expect(readdirSync(program.root)).toEqual(["taken"]);
  });

  it("cleans up when it is interrupted", async () => {
    program = new Program();
    const running = program.start("demo", "--json");
    await running.until(({ event, step }) => event === "step" && step === "convert");
    running.kill("SIGINT");
    expect((await running.ended).status).toBe(130);
    expect(readdirSync(program.root)).toEqual([]);
  });
});
