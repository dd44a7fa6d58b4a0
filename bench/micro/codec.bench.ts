/**
 * How fast units are decoded and encoded on one core, by both forms of the codec. The data are this machine's own
 * programs and libraries. Run: node bench/micro/codec.bench.ts [folder …]
 */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { KiB, MiB } from "../../src/bytes/units.ts";
import { type UnitCodec, unitCodec } from "../../src/codec/codec.ts";
import { type Task, throughput } from "./throughput.ts";

const SIZE = 32 * MiB;
const CLUSTER = 64 * KiB;
const folders = process.argv.length > 2 ? process.argv.slice(2) : ["/usr/bin", "/usr/lib", "/usr/share"];

/** Plain files below a folder, without following links, which may lead in circles. */
function* filesIn(folder: string): Generator<string> {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* filesIn(path);
    else if (entry.isFile()) yield path;
  }
}

/** Contents of files of all folders in turn, `SIZE` bytes in all where there are so many. */
function collect(): Buffer {
  const share = SIZE / folders.length;
  const contents: Buffer[] = [];
  for (const folder of folders) {
    let taken = 0;
    for (const path of filesIn(folder)) {
      if (taken >= share) break;
      const { size } = statSync(path);
      if (size < 4 * KiB || size > MiB) continue;
      contents.push(readFileSync(path));
      taken += size;
    }
  }
  const all = Buffer.concat(contents);
  return all.subarray(0, all.length - (all.length % CLUSTER));
}

const data = collect();
const units = Array.from({ length: data.length / CLUSTER }, (_, index) =>
  data.subarray(index * CLUSTER, (index + 1) * CLUSTER),
);
const into = new Uint8Array(CLUSTER);
const ratios: Record<string, string> = {};

function tasks(form: string, codec: UnitCodec): Task[] {
  const encodeNext = codec.unitDeflater();
  const encoders = {
    "deflate 1, units in a row": (unit: Uint8Array) => encodeNext(unit, 1),
    "deflate 1": (unit: Uint8Array) => codec.encodeDeflate(unit, 1),
    "deflate 6": (unit: Uint8Array) => codec.encodeDeflate(unit, 6),
    "deflate 1, sync flush": (unit: Uint8Array) => codec.encodeDeflateSync(unit, 1),
    "zstd 1": (unit: Uint8Array) => codec.encodeZstd(unit, 1),
    "zstd 3": (unit: Uint8Array) => codec.encodeZstd(unit, 3),
  };
  const list: Task[] = [];
  for (const [name, encode] of Object.entries(encoders)) {
    const coded = units.map((unit) => encode(unit).slice());
    const size = coded.reduce((sum, { length }) => sum + length, 0);
    ratios[`${form}: ${name}`] = (size / data.length).toFixed(3);
    const kind = name.startsWith("zstd") ? "zstd" : "deflate";
    list.push(
      {
        name: `${form}: encode ${name}`,
        bytes: data.length,
        run() {
          for (const unit of units) encode(unit);
        },
      },
      {
        name: `${form}: decode ${name}`,
        bytes: data.length,
        run() {
          for (const unit of coded) codec.decodeUnit(kind, unit, into, "bench");
        },
      },
    );
  }
  return list;
}

const [any, builtIn] = [unitCodec("any"), unitCodec("built-in")];
console.log(
  `${data.length / MiB} MiB in units of ${CLUSTER / KiB} KiB; helpers: ${any.helpers.deflate}, ${any.helpers.zstd}`,
);
const all = [...tasks("best", any), ...tasks("built-in", builtIn)];
console.log("Coded size by plain size");
console.table(ratios);
await throughput("Codecs", all);
