/** Conversions from file to file, against qemu-img. */
import { join } from "node:path";
import type { ImageName } from "../images.ts";
import { type Case, type Command, diskferry, faster, largerAtMost, type Target } from "./case.ts";

/** As many coroutines as qemu-img takes, writing in any order: its fastest form. */
const QEMU_CONVERT = ["convert", "-m", "16", "-W"];

export function qemuConvert(...args: string[]): Command {
  return { program: "qemu-img", args: [...QEMU_CONVERT, ...args] };
}

interface Conversion {
  readonly name: string;
  readonly title: string;
  readonly from: ImageName;
  /** Our options. */
  readonly ours: readonly string[];
  /** qemu-img's options. */
  readonly theirs: readonly string[];
  readonly targets: readonly Target[];
}

const zlib = ["--format", "qcow2", "--compression", "zlib"];
const qemuZlib = ["-O", "qcow2", "-c"];

const CONVERSIONS: readonly Conversion[] = [
  {
    name: "zlib-raw",
    title: "qcow2 zlib → raw file",
    from: "zlib",
    ours: ["--format", "raw"],
    theirs: ["-O", "raw"],
    targets: [faster(1.6)],
  },
  {
    name: "raw-zlib",
    title: "raw → qcow2 zlib",
    from: "raw",
    ours: zlib,
    theirs: qemuZlib,
    targets: [faster(5), largerAtMost(1)],
  },
  {
    name: "raw-zstd",
    title: "raw → qcow2 zstd",
    from: "raw",
    ours: ["--format", "qcow2", "--compression", "zstd"],
    theirs: ["-O", "qcow2", "-c", "-o", "compression_type=zstd"],
    targets: [faster(1.5), largerAtMost(1.02)],
  },
  {
    name: "raw-raw",
    title: "raw → raw",
    from: "raw",
    ours: ["--format", "raw"],
    theirs: ["-O", "raw"],
    targets: [faster(1)],
  },
  {
    name: "plain-raw",
    title: "qcow2 → raw",
    from: "plain",
    ours: ["--format", "raw"],
    theirs: ["-O", "raw"],
    targets: [faster(1)],
  },
  {
    name: "raw-plain",
    title: "raw → qcow2",
    from: "raw",
    ours: ["--format", "qcow2", "--compression", "none"],
    theirs: ["-O", "qcow2"],
    targets: [faster(1)],
  },
  {
    name: "zlib-zlib",
    title: "qcow2 zlib → qcow2 zlib",
    from: "zlib",
    ours: zlib,
    theirs: qemuZlib,
    targets: [faster(20)],
  },
];

function toFile({ name, title, from, ours, theirs, targets }: Conversion): Case {
  return {
    name,
    title,
    targets,
    needs: ["qemu-img", "mke2fs"],
    prepare: async ({ images, scratch }) => {
      const source = images.get(from);
      const format = from === "raw" ? "raw" : "qcow2";
      const output = join(scratch, "out");
      return {
        by: "wall",
        ours: {
          name: "diskferry",
          output,
          commands: [diskferry(["transfer", source, output, "--source-format", format, ...ours, "--json"])],
        },
        theirs: [
          { name: "qemu-img", output, commands: [qemuConvert("-f", format, ...theirs, source, output)] },
        ],
      };
    },
  };
}

const toNowhere: Case = {
  name: "zlib-null",
  title: "qcow2 zlib → nowhere",
  targets: [faster(2.2)],
  needs: ["qemu-img", "mke2fs"],
  prepare: async ({ images }) => {
    const source = images.get("zlib");
    const target = `driver=null-co,size=${images.size}`;
    return {
      by: "wall",
      ours: {
        name: "diskferry",
        commands: [diskferry(["transfer", source, "null:", "--format", "raw", "--json"])],
      },
      theirs: [
        {
          name: "qemu-img",
          commands: [qemuConvert("-n", "-f", "qcow2", "--target-image-opts", source, target)],
        },
      ],
    };
  },
};

export const conversions: readonly Case[] = [...CONVERSIONS.map(toFile), toNowhere];
