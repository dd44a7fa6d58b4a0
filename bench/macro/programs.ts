/** Where the programs of this machine are. */
import { execFileSync, spawnSync } from "node:child_process";
import { accessSync, constants, statSync } from "node:fs";
import { delimiter, join } from "node:path";

/** The flag with which each tells its version. */
const PROGRAMS = {
  "qemu-img": "--version",
  mke2fs: "-V",
  swift: "--version",
  aws: "--version",
  rclone: "version",
} as const;

export type Program = keyof typeof PROGRAMS;

export const ALL_PROGRAMS = Object.keys(PROGRAMS) as readonly Program[];

const found = new Map<Program, string | undefined>();

/** Absolute path; undefined: not installed. */
export function programPath(program: Program): string | undefined {
  if (!found.has(program)) found.set(program, locate(program));
  return found.get(program);
}

/** First line of what a program says of its version. */
export function programVersion(program: Program): string | undefined {
  const path = programPath(program);
  if (path === undefined) return undefined;
  const { stdout, stderr } = spawnSync(path, [PROGRAMS[program]], { encoding: "utf8" });
  return (stdout || stderr).split("\n")[0]?.trim();
}

function locate(program: Program): string | undefined {
  for (const folder of (process.env["PATH"] ?? "").split(delimiter)) {
    const path = join(folder, program);
    try {
      accessSync(path, constants.X_OK);
      if (statSync(path).isFile()) return behindShim(path, program);
    } catch {
      // Not in this folder.
    }
  }
  return undefined;
}

/** A shim of pyenv is a script that costs more than the start of the program behind it. */
function behindShim(path: string, program: Program): string {
  if (!path.includes("/shims/")) return path;
  try {
    return execFileSync(join(path, "../../bin/pyenv"), ["which", program], { encoding: "utf8" }).trim();
  } catch {
    return path;
  }
}
