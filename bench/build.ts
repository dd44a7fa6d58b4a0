/** Builds diskferry as it is published, outside the checkout, from the working tree or from an older revision. */
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, renameSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";

const CHECKOUT = join(import.meta.dirname, "..");

/** What the build of a tree needs of it, beside the packages. */
const INPUTS = ["src", "package.json", "tsconfig.json", ".rolldown.config.mjs"];

/** `into` is a new directory. @returns the command line that starts the program. */
export function buildCheckout(into: string): readonly string[] {
  const tree = `${into}-tree`;
  for (const name of INPUTS) cpSync(join(CHECKOUT, name), join(tree, name), { recursive: true });
  try {
    return build(tree, into);
  } finally {
    rmSync(tree, { recursive: true });
  }
}

/** @throws Error when git knows no such revision, or when it does not build with the packages of the checkout. */
export function buildRevision(revision: string, into: string): readonly string[] {
  const tree = `${into}-tree`;
  git("worktree", "add", "--quiet", "--detach", tree, revision);
  try {
    return build(tree, into);
  } finally {
    git("worktree", "remove", "--force", tree);
  }
}

/** Short name of the commit that is checked out, with a plus behind it if files differ from it. */
export function revisionName(): string {
  try {
    const changed = git("status", "--porcelain", "--untracked-files=no") !== "";
    return git("rev-parse", "--short", "HEAD") + (changed ? "+" : "");
  } catch {
    return "unknown";
  }
}

/** By the script of the tree itself, whatever that is. */
function build(tree: string, into: string): readonly string[] {
  const packages = join(CHECKOUT, "node_modules");
  symlinkSync(packages, join(tree, "node_modules"));
  execFileSync("npm", ["run", "--silent", "build"], { cwd: tree, stdio: ["ignore", "ignore", 2] });
  mkdirSync(into);
  for (const name of ["dist", "package.json"]) renameSync(join(tree, name), join(into, name));
  symlinkSync(packages, join(into, "node_modules"));
  return [process.execPath, join(into, "dist", "main.js")];
}

function git(...args: string[]): string {
  return execFileSync("git", ["-C", CHECKOUT, ...args], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
  }).trim();
}
