/** What happens to the program from outside: where it is started, who listens to it, and who interrupts it. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { describe, expect, it } from "vitest";
import { MiB } from "../../src/bytes/units.ts";
import { events, Program } from "../cli/program.ts";
import { noise } from "../oracle/disk.ts";

const MAIN = join(import.meta.dirname, "../../src/main.ts");

/** Starts the program in a directory below `program`'s home. */
function startIn(program: Program, directory: string, ...args: string[]): ChildProcess {
  return spawn(process.execPath, [MAIN, ...args], {
    cwd: program.path(directory),
    env: {
      PATH: process.env["PATH"],
      HOME: program.root,
      XDG_STATE_HOME: program.path("state"),
      TMPDIR: program.root,
    },
    stdio: "pipe",
  });
}

interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

async function ended(child: ChildProcess): Promise<Ended> {
  const closed = once(child, "close");
  const said = async (stream: ChildProcess["stdout"]) => (stream === null ? "" : text(stream));
  const [stdout, stderr] = await Promise.all([said(child.stdout), said(child.stderr)]);
  return { status: (await closed)[0] as number | null, stdout, stderr };
}

/** Reads what a child says until an event is what is waited for; the rest is still to come. */
async function until(child: ChildProcess, is: (event: Readonly<Record<string, unknown>>) => boolean) {
  let said = "";
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  child.once("close", () => reject(new Error(`the program ended too early: ${said}`)));
  const look = (chunk: Buffer): void => {
    said += chunk;
    if (events(said.slice(0, said.lastIndexOf("\n") + 1)).some(is)) resolve();
  };
  child.stdout?.on("data", look);
  await promise;
  child.stdout?.off("data", look);
}

const landing = ({ event, committed }: Readonly<Record<string, unknown>>): boolean =>
  event === "progress" && Number(committed) > 0;

const SLOWLY = ["--segment-size", "1M", "--bandwidth", "4M", "--json"];

describe("one relative name in two working directories", () => {
  it("is two places, each with a transfer of its own to go on with", async () => {
    using program = new Program();
    const disks = { one: noise(12 * MiB, 1), two: noise(12 * MiB, 2) };
    for (const [name, disk] of Object.entries(disks)) {
      mkdirSync(program.path(name));
      writeFileSync(program.path(`${name}/in.raw`), disk);
    }
    const command = ["transfer", "in.raw", "out.raw", "--source-format", "raw"];

    const first = startIn(program, "one", ...command, ...SLOWLY);
    const firstEnded = ended(first);
    await until(first, landing);
    first.kill("SIGINT");
    expect((await firstEnded).status).toBe(130);

    const second = await ended(startIn(program, "two", ...command, "--json"));
    expect(second.status).toBe(0);
    expect(events(second.stdout).map(({ event }) => event)).not.toContain("resume");

    const again = await ended(startIn(program, "one", ...command, "--segment-size", "1M", "--json"));
    expect(again.status).toBe(0);
    expect(events(again.stdout).find(({ event }) => event === "resume")?.["landed"]).toBeGreaterThan(0);
    for (const [name, disk] of Object.entries(disks)) {
      expect(readFileSync(program.path(`${name}/out.raw`)).equals(disk)).toBe(true);
    }
  });
});

describe("two names of one file", () => {
  it("are one place: the second transfer to it is refused while the first runs", async () => {
    using program = new Program();
    writeFileSync(program.path("in.raw"), noise(12 * MiB));
    // Slow enough to be running still when the second has started on a busy machine.
    const first = startIn(program, ".", "transfer", "in.raw", "two.raw", ...SLOWLY, "--bandwidth", "300K");
    const firstEnded = ended(first);
    await until(first, landing);
    const second = await program.run("transfer", "in.raw", "./two.raw", "--json");
    expect(second.status).toBe(2);
    expect(events(second.stdout).at(-1)).toMatchObject({
      event: "error",
      code: "USAGE",
      message: expect.stringContaining(`process ${first.pid} is transferring to it now`),
    });
    first.kill("SIGINT");
    expect((await firstEnded).status).toBe(130);
  });
});

describe("a stream on standard input that has fallen silent", () => {
  it("does not keep the program when it is interrupted, and leaves nothing", async () => {
    using program = new Program();
    mkdirSync(program.path("out"));
    const running = startIn(program, ".", "transfer", "-", "out/disk.raw", "--json");
    const end = ended(running);
    running.stdin?.write(noise(4 * MiB));
    await until(running, ({ event, read }) => event === "progress" && Number(read) > 0);
    running.kill("SIGINT");
    const { status, stdout } = await end;
    expect(status).toBe(130);
    expect(events(stdout).at(-1)).toMatchObject({ event: "error", code: "CANCELED" });
    expect(readdirSync(program.path("out"))).toEqual([]);
  });
});

describe("a reader of the output that leaves", () => {
  /** Nobody reads standard output; what is written to it fails. */
  async function unheard(program: Program, ...args: string[]): Promise<Ended> {
    const child = startIn(program, ".", ...args);
    child.stdout?.destroy();
    return ended(Object.assign(child, { stdout: null }));
  }

  it("does not stop a transfer", async () => {
    using program = new Program();
    const disk = noise(3 * MiB);
    writeFileSync(program.path("in.raw"), disk);
    const { status, stderr } = await unheard(program, "transfer", "in.raw", "out.raw", "--json");
    expect([status, stderr]).toEqual([0, ""]);
    expect(readFileSync(program.path("out.raw")).equals(disk)).toBe(true);
  });

  it("gets no stack trace from inspect", async () => {
    using program = new Program();
    writeFileSync(program.path("in.raw"), noise(MiB));
    for (const more of [[], ["--json"]]) {
      const { status, stderr } = await unheard(program, "inspect", "in.raw", ...more);
      expect([status, stderr]).toEqual([0, ""]);
    }
  });
});
