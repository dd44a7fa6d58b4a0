/** A daemon as its users have it: the real program, in a home of its own, and the commands that ask it. */
import { randomFillSync } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { type Ended, type Event, events, Program, type Running } from "../cli/program.ts";
import { qemuImg } from "../support/qemu.ts";

const MiB = 1024 ** 2;

export interface DaemonHarbour extends AsyncDisposable {
  readonly program: Program;
  /** Where the daemon answers now. */
  readonly url: string;
  readonly daemon: Running;
  path(...names: string[]): string;
  /** Starts it again. */
  start(): Promise<void>;
  /** Runs a command against it. @returns its JSON lines, and how it ended. */
  run(...args: string[]): Promise<Ended & { readonly lines: readonly Line[] }>;
  /** The same, and wants it to succeed. @returns its last line. */
  ask(...args: string[]): Promise<Line>;
  command(...args: string[]): Running;
}

export type Line = Readonly<Record<string, unknown>>;

/** @param args of `serve`; a port of its own, unless they say otherwise. */
export async function daemonHarbour(
  args: readonly string[] = ["--port", "0"],
  env: NodeJS.ProcessEnv = {},
): Promise<DaemonHarbour> {
  const program = new Program(env);
  let daemon: Running | undefined;
  let ready: Event | undefined;
  const self: DaemonHarbour = {
    program,
    get url() {
      return (ready?.["urls"] as string[] | undefined)?.[0] ?? "";
    },
    get daemon() {
      if (daemon === undefined) throw new Error("no daemon runs");
      return daemon;
    },
    path: (...names) => program.path(names.join("/")),
    async start() {
      daemon = program.start("serve", ...args);
      await daemon.until((event) => {
        if (event.event === "ready") ready = event;
        return event.event === "ready";
      });
    },
    command: (...command) => program.start(...command),
    async run(...command) {
      const ended = await program.run(...command, "--json");
      return { ...ended, lines: events(ended.stdout) };
    },
    async ask(...command) {
      const { status, stderr, lines } = await self.run(...command);
      const last = lines.at(-1);
      if (status !== 0 || last === undefined) throw new Error(`${command.join(" ")}: ${status} ${stderr}`);
      return last;
    },
    async [Symbol.asyncDispose]() {
      daemon?.kill("SIGKILL");
      await daemon?.ended;
      program[Symbol.dispose]();
    },
  };
  return self;
}

/** A disk of which half is noise and half is zeros, as `<name>.raw`, and as what qemu-img makes of it. */
export function makeDisk(path: (name: string) => string, size = 24 * MiB): void {
  const disk = Buffer.alloc(size);
  randomFillSync(disk, 0, size / 2);
  writeFileSync(path("disk.raw"), disk);
  qemuImg("convert", "-f", "raw", "-O", "qcow2", "-c", path("disk.raw"), path("disk.qcow2"));
}

/** @throws when a guest would not read the same from both. */
export function sameDisk(a: string, formatA: string, b: string, formatB: string): void {
  qemuImg("compare", "-f", formatA, "-F", formatB, a, b);
}

/** What a test adds to the configuration: lines of YAML. */
export interface ConfigLines {
  readonly listen?: string;
  /** What both regions say besides. */
  readonly eachRegion?: string;
  readonly regions?: string;
  readonly destinations?: string;
  readonly more?: string;
}

/** Writes a configuration file with two regions whose images are files. */
export function writeConfig(path: (...names: string[]) => string, lines: ConfigLines = {}): void {
  const {
    listen = "cleartext: { port: 0 }",
    eachRegion = "",
    regions = "",
    destinations = "",
    more = "",
  } = lines;
  for (const folder of ["east", "west", "quay", "files"]) mkdirSync(path(folder), { recursive: true });
  writeFileSync(
    path("daemon.yaml"),
    `stateDirectory: ${path("state", "diskferry", "daemon")}
listen:
  ${listen}
regions:
  east: { imageStore: east, ${eachRegion} }
  west: { imageStore: west, ${eachRegion} }
  ${regions}
destinations:
  east: { region: east, location: ${path("east")} }
  west: { region: west, location: ${path("west")} }
  quay: { region: east, location: ${path("quay")} }
  ${destinations}
roots: { files: ${path("files")} }
${more}
`,
  );
}

/** The access file that the daemon has left. */
export function leftAccess(path: (...names: string[]) => string): { server: string; token: string } {
  return JSON.parse(readFileSync(path("state", "diskferry", "daemon", "access.json"), "utf8"));
}
