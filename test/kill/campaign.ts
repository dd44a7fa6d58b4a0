/** Kills transfers to one store, again and again, and looks at what is left when they have come through. */
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { writeDisk } from "./disk.ts";
import { type Ended, type Running, start } from "./program.ts";
import { repeats, type Sent } from "./proxy.ts";
import { type Random, SEED } from "./random.ts";
import type { Store } from "./store.ts";
import { type Moment, show } from "./tripwire.ts";

export interface Shape {
  readonly title: string;
  readonly source: "disk.raw" | "disk.qcow2" | "coded.qcow2";
  readonly options: readonly string[];
}

export const FLAT: Shape = {
  title: "a qcow2 to a raw object",
  source: "disk.qcow2",
  options: ["--format", "raw"],
};
export const PACKED: Shape = {
  title: "a raw disk to a compressed qcow2",
  source: "disk.raw",
  options: ["--format", "qcow2", "--compression", "zlib"],
};

export const ADOPTED: Shape = {
  title: "a compressed qcow2 that is copied as it is",
  source: "coded.qcow2",
  options: ["--format", "qcow2", "--compression", "zlib"],
};

export const PLAIN: Shape = {
  title: "a raw disk to a plain qcow2, written as it is read",
  source: "disk.raw",
  options: ["--format", "qcow2"],
};

/** A directory with the disks, a directory for journals, and the program. */
export interface Bench extends AsyncDisposable {
  readonly root: string;
  readonly state: string;
  /** SHA-256 of the raw disk. */
  readonly disk: string;
  journals(): Promise<readonly string[]>;
  run(args: readonly string[], environment?: Readonly<Record<string, string>>): Running;
}

export async function openBench(): Promise<Bench> {
  const root = await mkdtemp(join(tmpdir(), "diskferry-kill-"));
  const state = join(root, "state", "diskferry");
  await mkdir(state, { recursive: true });
  const run: Bench["run"] = (args, environment = {}) =>
    start(args, {
      HOME: root,
      XDG_CONFIG_HOME: root,
      XDG_STATE_HOME: join(root, "state"),
      // The program starts a few hundred times.
      NODE_COMPILE_CACHE: join(root, "compiled"),
      ...environment,
    });
  const raw = join(root, "disk.raw");
  const disk = await writeDisk(raw);
  for (const [name, compression] of [
    ["disk.qcow2", "none"],
    ["coded.qcow2", "zlib"],
  ] as const) {
    const options = ["--format", "qcow2", "--compression", compression, "--json"];
    const made = await run(["transfer", raw, join(root, name), ...options]).ended;
    if (made.code !== 0) throw new Error(`no qcow2 to begin with: ${JSON.stringify(made)}`);
  }
  return {
    root,
    state,
    disk,
    run,
    journals: () => readdir(state),
    async [Symbol.asyncDispose]() {
      await rm(root, { recursive: true, force: true });
    },
  };
}

export interface Given {
  /** Otherwise one of its own, removed in the end. */
  readonly name?: string;
  /** For all runs but the last. */
  readonly first?: readonly string[];
  /** For every run. */
  readonly options?: readonly string[];
  /** For the last run. */
  readonly last?: readonly string[];
  /** Otherwise SIGKILL. */
  readonly signal?: "SIGINT";
  /** Happens after the first run. */
  readonly between?: () => Promise<void>;
  /** The last run begins anew, so that parts may be sent again. */
  readonly goesOn?: false;
}

/** What transfers to a store came to. */
export interface Figures {
  kills: number;
  resumes: number;
  /** Bytes of parts that the store had acknowledged, and that were sent again. */
  repeated: number;
  /** Bytes of parts that were on their way when the program was killed, and had to be sent again. */
  again: number;
}

export class Campaign {
  readonly #bench: Bench;
  readonly #store: Store;
  readonly #shape: Shape;
  readonly figures: Figures = { kills: 0, resumes: 0, repeated: 0, again: 0 };
  #trials = 0;
  /** Of the object that no kill disturbed. */
  #digest: string;
  #counts: Readonly<Record<string, number>> = {};

  constructor(bench: Bench, store: Store, shape: Shape) {
    this.#bench = bench;
    this.#store = store;
    this.#shape = shape;
    this.#digest = shape === FLAT ? bench.disk : "";
  }

  /** How often each kind of thing happens in a transfer that nothing disturbs. */
  get counts(): Readonly<Record<string, number>> {
    return this.#counts;
  }

  /** Lands the object once without a kill, read back by the program itself. Returns the complaints. */
  async measure(): Promise<readonly string[]> {
    const complaints = new Complaints(this.#where([]));
    const ended = await this.#attempt("measured", undefined, ["--verify"]);
    if (ended.code !== 0) complaints.add(`an undisturbed transfer fails: ${tell(ended)}`);
    const { read: _, ...counts } = this.#store.tripwire.counts;
    this.#counts = counts;
    this.#digest = (await this.#store.digest("measured")) ?? "";
    if (this.#shape === FLAT && this.#digest !== this.#bench.disk) complaints.add("it is not the disk");
    await this.#lookAround(complaints);
    await this.#store.clear();
    return complaints.all;
  }

  /** A moment that is likely to come, early or late. */
  moment(random: Random): Moment {
    const others = Object.keys(this.#counts);
    const kind = random.next() < 0.7 ? random.pick(this.#store.kinds) : random.pick(others);
    const phase = random.pick(this.#store.phases);
    return { kind, phase, nth: random.upTo(Math.max(1, this.#counts[kind] ?? 1)) };
  }

  /** One transfer that is stopped at each of the moments, and then goes on to its end. Returns the complaints. */
  async trial(moments: readonly Moment[], given: Given = {}): Promise<readonly string[]> {
    const { tripwire, sent } = this.#store;
    this.#trials += 1;
    const name = given.name ?? `disk-${this.#trials}`;
    const complaints = new Complaints(this.#where(moments));
    const before = sent?.length ?? 0;
    for (const [index, moment] of [...moments, undefined].entries()) {
      if (index === 1) await given.between?.();
      const journaled = await this.#journaled();
      const own = index === moments.length ? given.last : given.first;
      const more = [...(given.options ?? []), ...(own ?? [])];
      const ended = await this.#attempt(name, moment, more, given.signal);
      await tripwire.quiet();
      if (ended.signal === "SIGKILL" || ended.code === 130) {
        this.figures.kills += 1;
        if (given.signal !== undefined) await this.#lookAtStopped(ended, complaints);
        continue;
      }
      const resumed = ended.said.find(({ event }) => event === "resume");
      if (resumed !== undefined) this.figures.resumes += 1;
      if (resumed !== undefined && given.goesOn === false) complaints.add(`goes on: ${tell(ended)}`);
      const verifies = more.includes("--verify");
      const over =
        !verifies && journaled === undefined && ended.said.some(({ code }) => code === "ALREADY_EXISTS");
      if (ended.code !== 0 && !over) complaints.add(`does not complete: ${tell(ended)}`);
      if (verifies && ended.said.at(-1)?.["verified"] !== true) complaints.add("does not read back");
      if (given.goesOn !== false) this.#countFiles(ended, journaled, complaints);
      break;
    }
    const digest = await this.#store.digest(name);
    if (digest !== this.#digest)
      complaints.add(`the object is ${digest === undefined ? "missing" : "wrong"}`);
    if (sent !== undefined && given.goesOn !== false) this.#countSent(sent.slice(before), complaints);
    await this.#lookAround(complaints);
    if (given.name === undefined) await this.#store.clear();
    for (const file of await this.#bench.journals()) await rm(join(this.#bench.state, file));
    return complaints.all;
  }

  /** Starts one run, to be stopped at a moment. */
  async #attempt(
    name: string,
    moment: Moment | undefined,
    more: readonly string[],
    signal: NodeJS.Signals = "SIGKILL",
  ): Promise<Ended> {
    const running = this.start(name, more);
    this.#store.tripwire.arm(moment, () => running.kill(signal));
    return running.ended;
  }

  start(name: string, more: readonly string[] = []): Running {
    const { source, options } = this.#shape;
    const { environment, options: fixed } = this.#store;
    const from = join(this.#bench.root, source);
    const command = ["transfer", from, this.#store.place(name), ...options, ...fixed, "--json", ...more];
    return this.#bench.run(command, environment);
  }

  /** Asked to stop, the program says so, and leaves a journal and no lock. */
  async #lookAtStopped(ended: Ended, complaints: Complaints): Promise<void> {
    if (ended.code !== 130 || ended.said.at(-1)?.["code"] !== "CANCELED") {
      complaints.add(`does not stop when asked: ${tell(ended)}`);
    }
    if ((await this.#journaled()) === undefined) complaints.add("leaves no journal when asked to stop");
    if ((await this.#bench.journals()).length !== 1) complaints.add("leaves a lock when asked to stop");
  }

  /** No orphan in the store, no journal, no lock. */
  async #lookAround(complaints: Complaints): Promise<void> {
    for (const orphan of await this.#store.orphans()) complaints.add(`an orphan is left: ${orphan}`);
    for (const file of await this.#bench.journals()) complaints.add(`a state file is left: ${file}`);
  }

  /** A part that the store acknowledged is never sent again. */
  #countSent(sent: readonly Sent[], complaints: Complaints): void {
    const { parts, again } = repeats(sent);
    this.figures.again += again;
    for (const { earlier, now } of parts) {
      this.figures.repeated += now.bytes;
      complaints.add(`part ${now.part} was acknowledged in run ${earlier.run}, and sent in run ${now.run}`);
    }
  }

  /** The same where only the journal and the program's own count can tell. */
  #countFiles(ended: Ended, journaled: Journaled | undefined, complaints: Complaints): void {
    const done = ended.said.find(({ event }) => event === "done");
    if (this.#store.sent !== undefined || journaled === undefined || done === undefined) return;
    const most = Number(done["size"]) - journaled.bytes;
    if (Number(done["sent"]) > most) {
      this.figures.repeated += Number(done["sent"]) - most;
      complaints.add(`sent ${done["sent"]} bytes where ${journaled.bytes} of ${done["size"]} were journaled`);
    }
    const landed = ended.said.find(({ event }) => event === "resume")?.["landed"] ?? 0;
    if (!journaled.sealed && landed !== journaled.segments) {
      complaints.add(`went on from ${landed} parts where ${journaled.segments} were journaled`);
    }
  }

  async #journaled(): Promise<Journaled | undefined> {
    const file = (await this.#bench.journals()).find((name) => name.endsWith(".journal"));
    return file === undefined ? undefined : await readJournal(join(this.#bench.state, file));
  }

  #where(moments: readonly Moment[]): string {
    const chain = [...moments.map(show), show(undefined)].join(", then ");
    return `${this.#shape.title} to ${this.#store.title}, seed ${SEED}, trial ${this.#trials}: ${chain}`;
  }
}

interface Journaled {
  readonly segments: number;
  /** Of parts that were sent. */
  readonly bytes: number;
  readonly sealed: boolean;
}

/** A journal with something in it. */
async function readJournal(path: string): Promise<Journaled | undefined> {
  if (!existsSync(path)) return undefined;
  const lines = (await readFile(path, "utf8")).split("\n").slice(0, -1);
  const events = lines.map((line) => JSON.parse(line));
  if (!events.some(({ event }) => event === "begin")) return undefined;
  const receipts = events.filter(({ event }) => event === "segment").map(({ receipt }) => receipt);
  return {
    segments: new Set(receipts.map(({ number }) => number)).size,
    bytes: receipts.reduce((sum, { length, zero }) => sum + (zero ? 0 : length), 0),
    sealed: events.some(({ event }) => event === "sealed"),
  };
}

class Complaints {
  readonly #where: string;
  readonly #all: string[] = [];

  constructor(where: string) {
    this.#where = where;
  }

  get all(): readonly string[] {
    return this.#all;
  }

  add(text: string): void {
    this.#all.push(`${this.#where}: ${text}`);
  }
}

export function tell({ code, signal, said, stderr }: Ended): string {
  return `exit ${code ?? signal}: ${JSON.stringify(said.at(-1))} ${stderr.slice(0, 500)}`;
}
