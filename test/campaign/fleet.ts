/** A real daemon with three regions, one of them in a real Swift behind a proxy, and what is asked of it. */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TaskEvent, TaskState } from "../../src/api/connect/generated/diskferry/v1/task_pb.ts";
import { type Client, faultOf, openClient } from "../../src/cli/client.ts";
import type { Task } from "../../src/task/task.ts";
import { SPREAD, writeSpread } from "../daemon/disk.ts";
import { daemonHarbour, leftAccess, sameDisk, writeConfig } from "../daemon/harbour.ts";
import type { Random } from "../kill/random.ts";
import { openAccount, type SwiftStore, swiftStore } from "../kill/swift-store.ts";
import type { Evidence } from "./evidence.ts";

const MiB = 1024 ** 2;

/** Of each region: fewer than the tasks that are kept waiting. */
export const SLOTS = { copy: 3, export: 3, import: 3 } as const;
/** Of one task: it lives through a few kills. */
const RATE = BigInt(6 * MiB);

/** What is asked for, again and again with the same token, until somebody has heard that it is accepted. */
export interface Asked {
  readonly token: string;
  readonly send: (client: Client) => Promise<Answer>;
  /** Of the task, once it is known. */
  id?: string;
  /** The answer was that another task is in its way. */
  refused?: true;
}

interface Answer {
  readonly id: string;
  readonly replayed: boolean;
}

export interface Fleet extends AsyncDisposable {
  readonly store: SwiftStore;
  /** Of the daemon. */
  readonly state: string;
  readonly asked: readonly Asked[];
  /** Ids of tasks whose cancel was accepted. */
  readonly cancelled: Set<string>;
  start(): Promise<void>;
  kill(): void;
  /** Ends it as a service manager does. */
  stop(): Promise<void>;
  readonly ended: Promise<unknown>;
  /** One task more. */
  ask(random: Random): Promise<void>;
  /** The same request once more. @returns what is wrong with the answer. */
  repeat(asked: Asked): Promise<string | undefined>;
  cancel(id: string): Promise<void>;
  /** Lifts the task's limit. */
  hurry(id: string): Promise<void>;
  /** Ids of tasks that have not ended. */
  unfinished(): Promise<readonly string[]>;
  /** Events after this one, as they happen. */
  watch(after: number, signal: AbortSignal): AsyncIterable<TaskEvent>;
  /** Compares what a task has made with the source. @returns what is wrong. */
  inspect(task: Task): Promise<string | undefined>;
  /** What is left in places that no succeeded task has put there. */
  orphans(evidence: Evidence): Promise<readonly string[]>;
}

export async function openFleet(): Promise<Fleet> {
  const store = await swiftStore();
  const here = await daemonHarbour(["--config", "daemon.yaml"]);
  const { environment } = store;
  writeConfig(here.path, {
    regions: "north: { imageStore: north, imageWrite: { format: raw } }",
    destinations: `north: { region: north, location: swift://images, credential: swift }
  dock: { region: north, location: swift://images/exports, credential: swift }`,
    more: `credentials:
  swift: { swift: { login: { kind: v1, authUrl: "${environment["ST_AUTH"]}", user: "${environment["ST_USER"]}", key: ${environment["ST_KEY"]} } } }
projects: { default: { quotas: { images: 100000 } } }
limits: { threads: 2, drainSeconds: 30 }
log: { file: ${here.path("daemon.log")} }`,
  });
  writeSpread(here.path("files", "disk.raw"), SPREAD);
  const account = await openAccount(store.swift);
  const source = here.path("files", "disk.raw");
  const state = here.path("state", "diskferry", "daemon");
  const asked: Asked[] = [];
  const cancelled = new Set<string>();
  /** SHA-256 of objects that were found to be the disk: the same request lands the same bytes. */
  const known = new Set<string>();
  const stored: { id: string; region: string; object: string }[] = [];
  let client: Client;

  async function start(): Promise<void> {
    await here.start();
    client = openClient({ server: here.url, token: leftAccess(here.path).token });
  }

  /** The images that all others are made of. */
  async function firstImages(): Promise<void> {
    for (const region of ["east", "north"]) {
      const done = await here.ask(
        ...["import", "file:files/disk.raw", "--region", region, "--name", `first-${region}`, "--wait"],
      );
      const { image } = done["importSpec"] as { image: { imageId: string; objects: string[] } };
      stored.push({ id: image.imageId, region, object: image.objects[0] ?? "" });
    }
    for (const region of ["east", "west", "north"]) {
      await here.ask("limits", region, "--copies", "3", "--exports", "3", "--imports", "3");
    }
  }

  const answer = ({ task, replayed }: { task?: { id: string } | undefined; replayed: boolean }): Answer => ({
    id: task?.id ?? "",
    replayed,
  });

  /** An export, an import or a copy, between files and Swift in all directions. */
  function draw(random: Random, name: string): Asked["send"] {
    const options = { clientToken: name, bandwidth: RATE };
    const from = random.pick(stored);
    switch (random.upTo(3)) {
      case 1: {
        const format = random.pick(["raw", "qcow2", "vhd"]);
        const destination = from.region === "north" ? "dock" : "quay";
        const object = { case: "objectName", value: `${name}.${format}` } as const;
        const request = { source: { case: "imageId", value: from.id }, destination, object } as const;
        return async ({ tasks }) =>
          answer(await tasks.exportImage({ ...request, write: { format }, options }));
      }
      case 2: {
        const region = random.pick(["east", "north"]);
        const file = { root: "files", path: "disk.raw" };
        const disks = [{ source: { case: "file", value: file }, format: "raw" }] as const;
        return async ({ tasks }) =>
          answer(await tasks.importImage({ region, disks: [...disks], image: { name }, options }));
      }
      default: {
        const targetRegion = random.pick(["east", "west", "north"]);
        const request = { imageId: from.id, sourceRegion: from.region, targetRegion, target: { name } };
        return async ({ tasks }) => answer(await tasks.copyImage({ ...request, options }));
      }
    }
  }

  /** @returns whether the same was accepted before. */
  async function send(one: Asked): Promise<boolean> {
    try {
      const { id, replayed } = await one.send(client);
      one.id = id;
      return replayed;
    } catch (error) {
      if (faultOf(error, client).code !== "CONFLICT") throw error;
      one.refused = true;
      return false;
    }
  }

  async function digest(path: string): Promise<string> {
    return createHash("sha256").update(readFileSync(path)).digest("hex");
  }

  /** The file, or a copy of the object. */
  async function fetched(destination: string, object: string): Promise<string> {
    if (!["north", "dock"].includes(destination)) return here.path(destination, object);
    const folder = destination === "dock" ? "exports/" : "";
    const reply = await account.ask("GET", `/images/${folder}${object}`);
    const path = here.path("fetched");
    writeFileSync(path, new Uint8Array(await reply.arrayBuffer()));
    return path;
  }

  await start();
  await firstImages();

  return {
    store,
    state,
    asked,
    cancelled,
    start,
    kill: () => here.daemon.kill("SIGKILL"),
    async stop() {
      here.daemon.kill("SIGTERM");
      const { status, stderr } = await here.daemon.ended;
      if (status !== 0) throw new Error(`the daemon ends with ${status}: ${stderr}`);
    },
    get ended() {
      return here.daemon.ended;
    },
    async ask(random) {
      for (;;) {
        const token = `task-${asked.length}`;
        const one: Asked = { token, send: draw(random, token) };
        asked.push(one);
        await send(one);
        if (one.refused === undefined) return;
      }
    },
    async repeat(one) {
      const before = one.id;
      const replayed = await send(one);
      if (before === undefined || (one.id === before && replayed)) return undefined;
      return `${one.token} was accepted as ${before}, and again as ${one.id}`;
    },
    async cancel(id) {
      try {
        await client.tasks.cancelTask({ id });
        cancelled.add(id);
      } catch (error) {
        const { code } = faultOf(error, client);
        // It may have ended, or be past its commit; or the daemon is.
        if (!["PRECONDITION", "NETWORK", "STORE_PROTOCOL"].includes(code)) throw error;
      }
    },
    async hurry(id) {
      await client.tasks.limitTask({ id, bandwidth: 0n }).catch((error: unknown) => {
        if (faultOf(error, client).code !== "PRECONDITION") throw error;
      });
    },
    async unfinished() {
      const states = [TaskState.QUEUED, TaskState.PROCESSING, TaskState.CANCELLING];
      return (await client.tasks.listTasks({ states })).tasks.map(({ id }) => id);
    },
    async *watch(after, signal) {
      const stream = client.tasks.watchTasks({ after: BigInt(after) }, { signal });
      for await (const { event } of stream) if (event !== undefined) yield event;
    },
    async inspect({ id, spec, result }) {
      const destination = spec.kind === "export" ? spec.destination : spec.to.destination;
      for (const { object, format } of result?.objects ?? []) {
        const path = await fetched(destination, object).catch(() => undefined);
        if (path === undefined) return `${id} has succeeded, and its object ${object} is not there`;
        const now = await digest(path);
        if (known.has(now)) continue;
        try {
          sameDisk(source, "raw", path, format === "vhd" ? "vpc" : format);
        } catch (error) {
          return `${id} has succeeded, and ${object} is not the disk: ${String(error)}`;
        }
        known.add(now);
      }
      return undefined;
    },
    async orphans({ tasks }) {
      const made = new Map<string, Set<string>>();
      const put = (destination: string, object: string) => {
        const objects = made.get(destination) ?? new Set();
        made.set(destination, objects.add(object));
      };
      for (const { region, object } of stored) put(region, object);
      for (const { spec, state } of tasks) {
        if (state !== "succeeded") continue;
        if (spec.kind === "export") for (const object of spec.objects) put(spec.destination, object);
        else for (const object of spec.to.objects) put(spec.to.destination, object);
      }
      const stray = (destination: string, found: readonly string[]) =>
        found
          .filter((name) => made.get(destination)?.has(name) !== true)
          .map((name) => `${destination}/${name}`);
      const objects = await account.names("images");
      return [
        ...["east", "west", "quay"].flatMap((place) => stray(place, readdirSync(here.path(place)))),
        ...stray(
          "dock",
          objects.filter((name) => name.startsWith("exports/")).map((name) => name.slice(8)),
        ),
        ...stray(
          "north",
          objects.filter((name) => !name.startsWith("exports/")),
        ),
        ...(await store.orphans()),
        ...readdirSync(join(state, "tasks")).map((name) => `state/tasks/${name}`),
      ];
    },
    async [Symbol.asyncDispose]() {
      await here[Symbol.asyncDispose]();
      await store[Symbol.asyncDispose]();
    },
  };
}
