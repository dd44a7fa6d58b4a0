/** What should take little time whatever the image is, and what should grow no faster than the image. */
import { LARGE_TIMES } from "../images.ts";
import { type Case, diskferry, faster, type Side, type Workshop, within } from "./case.ts";

function alone(
  shape: Pick<Case, "name" | "title" | "needs">,
  seconds: number,
  args: (workshop: Workshop) => readonly string[],
): Case {
  return {
    ...shape,
    targets: [within(seconds)],
    prepare: async (workshop) => ({
      by: "wall",
      theirs: [],
      ours: { name: "diskferry", commands: [diskferry(args(workshop))] },
    }),
  };
}

const inspect = alone(
  { name: "inspect", title: "inspect 1 TiB of qcow2, all mapped", needs: ["qemu-img"] },
  2,
  ({ images }) => ["inspect", images.get("mapped"), "--json"],
);

const start = alone({ name: "start", title: "--version", needs: [] }, 0.2, () => ["--version"]);

export const scaling: Case = {
  name: "scaling",
  title: `qcow2 zlib → nowhere, ${LARGE_TIMES} times the size`,
  needs: ["qemu-img", "mke2fs"],
  targets: [faster(0.9)],
  prepare: async ({ images }) => {
    const side = (name: string, source: string): Side => ({
      name,
      commands: [diskferry(["transfer", source, "null:", "--format", "raw", "--json"])],
    });
    return {
      by: "wall",
      times: LARGE_TIMES,
      ours: side("diskferry", images.get("large")),
      theirs: [side("once the size", images.get("zlib"))],
    };
  },
};

export const bounds: readonly Case[] = [start, inspect];
