/** The demonstration: a disk of its own goes from raw to qcow2 and back, through the same path as any other. */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { promisify } from "node:util";
import { MiB } from "../bytes/units.ts";
import { Fault } from "../fault/fault.ts";
import { type DemoDisk, makeDemoDisk } from "./demo-disk.ts";
import type { ImageRequest } from "./open-image.ts";
import { type EnginePorts, type Transferred, transferImage } from "./transfer-image.ts";
import { verify } from "./verify.ts";

export interface DemoRequest {
  /** Directory of the package, whose files fill the disk. */
  readonly installation: string;
  /** Directory that keeps the images; absent: a temporary one that is removed. */
  readonly keep?: string;
}

export type DemoPorts = Omit<EnginePorts, "stateDirectory"> & {
  readonly onStep: (step: DemoStep) => void;
};

/** What begins now. */
export type DemoStep =
  | { readonly step: "make"; readonly name: string }
  | { readonly step: "convert"; readonly from: string; readonly to: string; readonly disk: DemoDisk }
  | { readonly step: "compare"; readonly a: string; readonly b: string }
  | { readonly step: "hash"; readonly a: string; readonly b: string };

export interface DemoLeg {
  readonly name: string;
  /** Bytes of the file, and those that were written: holes take none. */
  readonly size: number;
  readonly sent: number;
  readonly seconds: number;
}

export interface DemoResult {
  readonly disk: DemoDisk;
  readonly legs: readonly DemoLeg[];
  /** Of all three images. */
  readonly guestDigest: string;
  /** Of the disk before and after. */
  readonly sha256: string;
  /** Whether qemu-img, where this machine has it, agrees. */
  readonly qemu: "agrees" | "not installed";
  readonly kept: string | undefined;
}

/** Generous: the images are small. */
const QEMU_MS = 60_000;

/** @throws Fault VERIFY_FAILED when anything differs; else as the transfers do. Leaves nothing behind but what `keep` asks for. */
export async function runDemo(
  request: DemoRequest,
  ports: DemoPorts,
  signal: AbortSignal,
): Promise<DemoResult> {
  const scratch = await mkdtemp(join(tmpdir(), "diskferry-demo-"));
  try {
    if (request.keep !== undefined) await makeKept(request.keep);
    return await demonstrate(request, scratch, ports, signal);
  } catch (error) {
    throw Fault.from(signal.aborted ? signal.reason : error, "demo");
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** @throws Fault by the directory's name. */
export async function makeKept(directory: string): Promise<void> {
  await mkdir(directory, { recursive: true }).catch((error: unknown) => {
    throw Fault.from(error, directory);
  });
}

async function demonstrate(
  request: DemoRequest,
  scratch: string,
  ports: DemoPorts,
  signal: AbortSignal,
): Promise<DemoResult> {
  const directory = request.keep ?? scratch;
  const [raw, qcow2, back] = ["disk.raw", "disk.qcow2", "back.raw"].map((name) => join(directory, name)) as [
    string,
    string,
    string,
  ];
  ports.onStep({ step: "make", name: raw });
  const disk = await makeDemoDisk(raw, request.installation, signal);

  const enginePorts = { ...ports, stateDirectory: join(scratch, "state") };
  const convert = async (from: string, to: string, format: "raw" | "qcow2") => {
    ports.onStep({ step: "convert", from, to, disk });
    const started = performance.now();
    const result = await transferImage(
      {
        source: image(from),
        destination: to,
        format,
        ...(format === "qcow2" ? { compression: "zlib" as const } : {}),
        concurrency: 8,
        memory: 256 * MiB,
        bandwidth: 0,
        existing: "refuse",
        unfinished: "resume",
        verify: "digest",
        adopt: "coded units",
      },
      enginePorts,
      signal,
    );
    return { ...result, leg: await legOf(to, result, Math.round(performance.now() - started) / 1000) };
  };
  const there = await convert(raw, qcow2, "qcow2");
  const again = await convert(qcow2, back, "raw");

  ports.onStep({ step: "compare", a: raw, b: back });
  if (there.guestDigest !== again.guestDigest) throw differs(raw, back, "guest digest");
  const verdict = await verify(image(raw), image(back), ports, progressOf(ports), signal);
  if (!verdict.equal) throw differs(raw, back, `byte ${verdict.firstDifference}`);
  ports.onStep({ step: "hash", a: raw, b: back });
  const [before, after] = [await sha256(raw, signal), await sha256(back, signal)];
  if (before !== after) throw differs(raw, back, "SHA-256");
  return {
    disk,
    legs: [there.leg, again.leg],
    guestDigest: verdict.guestDigest,
    sha256: before,
    qemu: await askQemu(qcow2, raw, signal),
    kept: request.keep,
  };
}

function image(location: string): ImageRequest {
  return { location, backing: [], allowAmplification: false };
}

async function legOf(name: string, { sent }: Transferred, seconds: number): Promise<DemoLeg> {
  return { name, size: (await stat(name)).size, sent, seconds };
}

function progressOf({ events }: DemoPorts): Parameters<typeof verify>[3] {
  return (sample) =>
    events.onProgress(() => {
      const { read, total } = sample();
      return { read, encoded: 0, sent: 0, committed: read, total };
    });
}

async function sha256(path: string, signal: AbortSignal): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(path, { highWaterMark: 4 * MiB }), hash, { signal });
  return hash.digest("hex");
}

function differs(a: string, b: string, where: string): Fault {
  return new Fault("VERIFY_FAILED", `${b}: differs from ${a} in ${where}; please report this`);
}

/** A second opinion from another program, where there is one. */
async function askQemu(qcow2: string, raw: string, signal: AbortSignal): Promise<DemoResult["qemu"]> {
  const run = (...args: string[]) => promisify(execFile)("qemu-img", args, { signal, timeout: QEMU_MS });
  try {
    await run("check", "-q", "-f", "qcow2", qcow2);
    await run("compare", "-q", "-f", "qcow2", "-F", "raw", qcow2, raw);
    return "agrees";
  } catch (error) {
    signal.throwIfAborted();
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return "not installed";
    throw new Fault("VERIFY_FAILED", `${qcow2}: qemu-img finds fault with it; please report this`, {
      cause: error,
    });
  }
}
