/** What this machine offers, and whether the configured stores can be reached. */
import { mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { availableParallelism, cpus, freemem, totalmem } from "node:os";
import { join } from "node:path";
import { formatSize } from "../bytes/units.ts";
import { codecHelpers } from "../codec/codec.ts";
import { digestKernels } from "../digest/kernels.ts";
import { Fault } from "../fault/fault.ts";
import { withDeadline } from "../flow/deadline.ts";
import { hasLibc } from "../native/libc.ts";
import { compareVersions } from "./compare-versions.ts";
import type { Credentials, StoreName } from "./credentials.ts";
import { measure } from "./measure.ts";
import type { Places } from "./places.ts";

export interface Finding {
  readonly name: string;
  /** `absent` and `not configured` are no faults: everything works without, or nobody asked for it. */
  readonly state: "ok" | "absent" | "not configured" | "failed";
  /** One line for people. */
  readonly text: string;
  /** Of a measurement, on one core. */
  readonly bytesPerSecond?: number;
}

export interface ExaminePorts {
  readonly places: Places;
  readonly credentials: Credentials;
  readonly stateDirectory: string;
  /** Version of the running Node, and the lowest that will do: `24.12`. */
  readonly runtime: { readonly version: string; readonly atLeast: string };
}

const STORES: readonly StoreName[] = ["swift", "s3", "oss"];
/** Long enough for a few attempts at a name that does not resolve. */
const REACH_MS = 15_000;
/** Nobody has it; a store that says so has been reached, and has let us in. */
const NOBODYS = "diskferry-doctor/probe";

/** Never throws for what it finds; looks at one thing after the other, so that measurements stand alone. */
export async function examine(ports: ExaminePorts, signal: AbortSignal): Promise<Finding[]> {
  const found = [runtime(ports), processor(), memory(), libc(), ...codecs(), digests()];
  for (const measured of measure(signal)) found.push(measured);
  found.push(await stateDirectory(ports.stateDirectory));
  found.push(...(await Promise.all(STORES.map((store) => reach(store, ports, signal)))));
  signal.throwIfAborted();
  return found;
}

function runtime({ runtime: { version, atLeast } }: ExaminePorts): Finding {
  const good = compareVersions(version, atLeast) >= 0;
  const text = good ? `Node ${version}` : `Node ${version} is too old: ${atLeast} is needed`;
  return { name: "runtime", state: good ? "ok" : "failed", text };
}

function processor(): Finding {
  const cores = availableParallelism();
  const model = cpus()[0]?.model.trim() || process.arch;
  return { name: "cores", state: "ok", text: `${cores} of ${model}` };
}

function memory(): Finding {
  return {
    name: "memory",
    state: "ok",
    text: `${formatSize(freemem())} free of ${formatSize(totalmem())}`,
  };
}

function libc(): Finding {
  return hasLibc()
    ? { name: "libc", state: "ok", text: "holes of sparse files are found without reading them" }
    : { name: "libc", state: "absent", text: "koffi cannot load: holes of sparse files are read as zeros" };
}

function codecs(): Finding[] {
  const { deflate, zstd } = codecHelpers();
  return [
    codec("deflate codec", deflate, "libdeflate", "libdeflate0"),
    codec("zstd codec", zstd, "libzstd", "libzstd1"),
  ];
}

function codec(name: string, helper: string, library: string, debian: string): Finding {
  return helper.startsWith(library)
    ? { name, state: "ok", text: `${helper} does it` }
    : {
        name,
        state: "absent",
        text: `no ${library}: ${helper} does it, at about half the speed (Debian: ${debian})`,
      };
}

function digests(): Finding {
  return digestKernels().form === "simd"
    ? { name: "digests", state: "ok", text: "WebAssembly SIMD computes them" }
    : {
        name: "digests",
        state: "absent",
        text: "no WebAssembly SIMD: hash-wasm computes them, at a quarter to a half of the speed",
      };
}

async function stateDirectory(directory: string): Promise<Finding> {
  const name = "state";
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const probe = join(directory, `.probe-${process.pid}`);
    await writeFile(probe, "");
    await rm(probe);
    const unfinished = (await readdir(directory)).filter((file) => file.endsWith(".journal")).length;
    const transfers = unfinished === 1 ? "1 unfinished transfer" : `${unfinished} unfinished transfers`;
    return {
      name,
      state: "ok",
      text: `${directory} can be written; ${unfinished === 0 ? "nothing unfinished" : transfers}`,
    };
  } catch (error) {
    return { name, state: "failed", text: Fault.from(error, directory).message };
  }
}

async function reach(
  store: StoreName,
  { places, credentials }: ExaminePorts,
  signal: AbortSignal,
): Promise<Finding> {
  const name = store;
  if (!credentials.configured.includes(store))
    return { name, state: "not configured", text: "no credentials are set" };
  const place = `${store}://${NOBODYS}`;
  try {
    const source = await withDeadline(store, REACH_MS, signal, (inner) => places.source(place, inner));
    await source[Symbol.asyncDispose]();
  } catch (error) {
    const { code, message } = Fault.from(error, store);
    const answered = code === "NOT_FOUND" || code === "PERMISSION";
    if (!answered) return { name, state: "failed", text: `${message} [${code}]` };
  }
  return { name, state: "ok", text: "answers, and takes the credentials" };
}
