/** diskferry demo --daemon: a daemon of its own moves an image in, out and to another region. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Task, TaskState } from "../api/connect/generated/diskferry/v1/task_pb.ts";
import { makeKept } from "../engine/demo.ts";
import { makeDemoDisk } from "../engine/demo-disk.ts";
import { transferPlace } from "../engine/transfer-place.ts";
import { verify } from "../engine/verify.ts";
import { Fault } from "../fault/fault.ts";
import { type Client, faultOf, openClient } from "./client.ts";
import type { CliContext, Daemon, Engine } from "./context.ts";
import { shownOf, taskChanges } from "./follow.ts";
import type { Reporter } from "./report.ts";
import { TaskBars } from "./task-bars.ts";
import { madeImage, taskJson } from "./task-text.ts";

interface DaemonDemo {
  /** Directory that keeps the images; absent: a temporary one that is removed. */
  readonly keep?: string;
  readonly json: boolean;
}

/** @throws Fault VERIFY_FAILED when anything differs. Leaves nothing behind but what `keep` asks for. */
export async function showDaemonDemo(
  { keep, json }: DaemonDemo,
  reporter: Reporter,
  context: CliContext,
): Promise<Readonly<Record<string, unknown>>> {
  const { signal } = context;
  const directory = keep ?? (await mkdtemp(join(tmpdir(), "diskferry-demo-")));
  try {
    await makeKept(directory);
    await using engine = await context.engine({});
    const step = (name: string, text: string): void => reporter.note({ event: "step", step: name }, text);
    step("make", "making a disk with a file system, as raw and as compressed qcow2");
    const raw = join(directory, "disk.raw");
    const disk = await makeDemoDisk(raw, context.installation.directory, signal);
    await compress(raw, join(directory, "disk.qcow2"), directory, engine, context);
    step("serve", "starting a daemon with two regions, east and west");
    const daemon = await context.daemon({ port: 0, directory, stderr: { write: () => true } });
    try {
      const moved = await moveAround(daemon, json, step, context);
      step("compare", "comparing what has come out with the disk");
      const guestDigest = await compare(raw, moved, engine, signal);
      const result = { disk, files: moved, guestDigest, ...(keep === undefined ? {} : { kept: keep }) };
      reporter.done(result, [
        ...moved.map((path) => `equal       ${path.slice(directory.length + 1)}`),
        `digest      ${guestDigest}, the same for all`,
        keep === undefined ? "cleaned up  nothing is left behind" : `kept        ${keep}`,
      ]);
      return result;
    } finally {
      await daemon.end();
    }
  } catch (error) {
    throw Fault.from(signal.aborted ? signal.reason : error, "demo");
  } finally {
    if (keep === undefined) await rm(directory, { recursive: true, force: true });
  }
}

/** Imports the qcow2, exports the image twice, copies it to the other region and exports the copy. */
async function moveAround(
  { accessFile = "", stateDirectory }: Daemon,
  json: boolean,
  step: (name: string, text: string) => void,
  context: CliContext,
): Promise<readonly string[]> {
  const client = openClient(await context.access({ tokenFile: accessFile }));
  const { tasks, once } = client;
  const asked = once(context.signal);
  const run = (accepted: { readonly task?: Task | undefined }, label: string): Promise<Task> =>
    ended(accepted.task, label, json, client, context);
  const object = (name: string) => ({ case: "objectName", value: name }) as const;
  const image = (id: string) => ({ case: "imageId", value: id }) as const;
  try {
    step("import", "importing the qcow2 into east");
    const file = { case: "file", value: { root: "home", path: "disk.qcow2" } } as const;
    const imported = await run(
      await tasks.importImage({ region: "east", disks: [{ source: file }], image: { name: "demo" } }, asked),
      "import ",
    );
    const id = madeImage(imported) ?? "";
    step("export", "exporting it as raw, then as qcow2");
    const east = (name: string, format: string) =>
      tasks.exportImage(
        { source: image(id), destination: "east-exports", object: object(name), write: { format } },
        asked,
      );
    await run(await east("disk.raw", "raw"), "export raw");
    await run(await east("disk.qcow2", "qcow2"), "export qcow2");
    step("copy", "copying it to west, and exporting the copy");
    const copied = await run(
      await tasks.copyImage({ imageId: id, sourceRegion: "east", targetRegion: "west" }, asked),
      "copy",
    );
    await run(
      await tasks.exportImage(
        {
          source: image(madeImage(copied) ?? ""),
          destination: "west-exports",
          object: object("disk.raw"),
          write: { format: "raw" },
        },
        asked,
      ),
      "export copy",
    );
  } catch (error) {
    throw faultOf(error, client);
  }
  return ["east/exports/disk.raw", "east/exports/disk.qcow2", "west/exports/disk.raw"].map((name) =>
    join(stateDirectory, name),
  );
}

/** Watches the task to its end. @throws Fault when it has not succeeded. */
async function ended(
  accepted: Task | undefined,
  label: string,
  json: boolean,
  client: Client,
  { stdout, stderr, signal }: CliContext,
): Promise<Task> {
  using bars = json ? undefined : new TaskBars(stderr);
  let last = accepted;
  for await (const task of taskChanges(accepted?.id ?? "", client, signal)) {
    last = task;
    if (bars === undefined) stdout.write(`${taskJson(task)}\n`);
    else bars.show(shownOf(task), label.padEnd(12));
  }
  if (last === undefined || last.state !== TaskState.SUCCEEDED) {
    throw new Fault("INTERNAL", `${label}: ${last?.failure?.message ?? "was not carried out"}`);
  }
  return last;
}

async function compress(
  from: string,
  to: string,
  directory: string,
  { places, producer }: Engine,
  { stdin, signal }: CliContext,
): Promise<void> {
  await transferPlace(
    {
      source: { location: from, backing: [], allowAmplification: false },
      destination: to,
      format: "qcow2",
      compression: "zlib",
      concurrency: 8,
      memory: 256 * 1024 ** 2,
      bandwidth: 0,
      existing: "refuse",
      unfinished: "resume",
      verify: "digest",
      adopt: "coded units",
    },
    {
      places,
      producer,
      stateDirectory: join(directory, "journals"),
      stdin,
      events: { onStage() {}, onProgress() {}, onResume() {}, onRetry() {} },
    },
    signal,
  );
}

/** The guest digest of all. */
async function compare(
  raw: string,
  others: readonly string[],
  engine: Engine,
  signal: AbortSignal,
): Promise<string> {
  const image = (location: string) => ({ location, backing: [], allowAmplification: false });
  let digest = "";
  for (const other of others) {
    const found = await verify(image(raw), image(other), engine, () => {}, signal);
    if (!found.equal) {
      throw new Fault(
        "VERIFY_FAILED",
        `${other}: differs from ${raw} at byte ${found.firstDifference}; please report this`,
      );
    }
    digest = found.guestDigest;
  }
  return digest;
}
