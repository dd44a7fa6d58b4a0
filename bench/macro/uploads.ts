/** Images into a real Swift, by its own API and by its S3 API, against a conversion and the usual clients after it. */
import { statSync } from "node:fs";
import { join } from "node:path";
import { type Case, type Command, cpuAtMost, diskferry, faster, type Side, within } from "./case.ts";
import { qemuConvert } from "./conversions.ts";
import type { SwiftAccount } from "./swift-account.ts";

const OBJECT = "disk";

function ourUpload(account: SwiftAccount, kind: "swift" | "s3", source: string, format: string): Side {
  const place = `${kind}://${kind === "swift" ? account.container : account.bucket}/${OBJECT}`;
  const args = ["transfer", source, place, "--source-format", format, "--format", "raw", "--json"];
  return { name: "diskferry", commands: [diskferry(args, account[kind])] };
}

/** One command of each client that uploads a file. */
function clients(
  account: SwiftAccount,
  kind: "swift" | "s3",
  file: string,
): Readonly<Record<string, Command>> {
  const { container, bucket } = account;
  if (kind === "swift") {
    return {
      swift: {
        program: "swift",
        args: ["upload", "--use-slo", "-S", "64M", "--object-name", OBJECT, container, file],
        env: account.swift,
      },
      rclone: {
        program: "rclone",
        args: ["copyto", file, `swift:${container}/${OBJECT}`],
        env: account.rclone,
      },
    };
  }
  return {
    aws: {
      program: "aws",
      args: ["s3", "cp", "--only-show-errors", file, `s3://${bucket}/${OBJECT}`],
      env: account.s3,
    },
    rclone: { program: "rclone", args: ["copyto", file, `s3:${bucket}/${OBJECT}`], env: account.rclone },
  };
}

function convertAndUpload(
  kind: "swift" | "s3",
  title: string,
  peers: readonly ("swift" | "aws" | "rclone")[],
): Case {
  return {
    name: `zlib-${kind}`,
    title,
    needs: ["qemu-img", "mke2fs", "Swift"],
    targets: [faster(3)],
    prepare: async ({ images, scratch, swift }) => {
      const account = await swift();
      const source = images.get("zlib");
      const between = join(scratch, "between");
      const convert = qemuConvert("-f", "qcow2", "-O", "raw", source, between);
      return {
        by: "wall",
        clear: () => account.clear(),
        ours: ourUpload(account, kind, source, "qcow2"),
        theirs: Object.entries(clients(account, kind, between))
          .filter(([name]) => peers.some((peer) => peer === name))
          .map(([name, upload]) => ({
            name: `qemu-img, ${name}`,
            between,
            commands: [convert, upload],
          })),
      };
    },
  };
}

function cpuOfUpload(kind: "swift" | "s3", title: string): Case {
  return {
    name: `cpu-${kind}`,
    title,
    needs: ["mke2fs", "Swift"],
    targets: [cpuAtMost(0.5)],
    prepare: async ({ images, swift }) => {
      const account = await swift();
      const source = images.get("dense");
      return {
        by: "cpu",
        uploaded: statSync(source).size,
        clear: () => account.clear(),
        ours: ourUpload(account, kind, source, "raw"),
        theirs: Object.entries(clients(account, kind, source)).map(([name, upload]) => ({
          name,
          commands: [upload],
        })),
      };
    },
  };
}

function emptyToSwift(image: "empty-qcow2" | "empty-raw", title: string): Case {
  return {
    name: image,
    title,
    needs: image === "empty-qcow2" ? ["qemu-img", "Swift"] : ["Swift"],
    targets: [within(3)],
    prepare: async ({ images, swift }) => {
      const account = await swift();
      const format = image === "empty-raw" ? "raw" : "qcow2";
      return {
        by: "wall",
        clear: () => account.clear(),
        ours: ourUpload(account, "swift", images.get(image), format),
        theirs: [],
      };
    },
  };
}

export const uploads: readonly Case[] = [
  convertAndUpload("swift", "qcow2 zlib → raw in Swift", ["swift"]),
  convertAndUpload("s3", "qcow2 zlib → raw in S3", ["aws", "rclone"]),
  cpuOfUpload("swift", "CPU time of an upload to Swift"),
  cpuOfUpload("s3", "CPU time of an upload to S3"),
  emptyToSwift("empty-qcow2", "empty 8 TiB qcow2 → Swift"),
  emptyToSwift("empty-raw", "empty 8 TiB raw → Swift"),
];
