/** Builds diskferry as it is published, outside the checkout, from the working tree or from an older revision. */
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";

const CHECKOUT = join(import.meta.dirname, "..");

/** `into` is a new directory. @returns the command line that starts the program. */
export function buildCheckout(into: string): readonly string[] {
  return compile(CHECKOUT, into);
}

/** @throws Error when git knows no such revision, or when it does not compile with the packages of the checkout. */
export function buildRevision(revision: string, into: string): readonly string[] {
  const tree = `${into}-tree`;
  git("worktree", "add", "--quiet", "--detach", tree, revision);
  try {
    symlinkSync(join(CHECKOUT, "node_modules"), join(tree, "node_modules"));
    return compile(tree, into);
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

function compile(tree: string, into: string): readonly string[] {
  mkdirSync(into);
  const tsc = join(CHECKOUT, "node_modules", "typescript", "bin", "tsc");
  const options = ["-p", join(tree, "tsconfig.json"), "--noEmit", "false", "--outDir", join(into, "dist")];
  execFileSync(process.execPath, [tsc, ...options], { stdio: ["ignore", 2, 2] });
  copyFileSync(join(tree, "package.json"), join(into, "package.json"));
  symlinkSync(join(CHECKOUT, "node_modules"), join(into, "node_modules"));
  return [process.execPath, join(into, "dist", "main.js")];
}

function git(...args: string[]): string {
  return execFileSync("git", ["-C", CHECKOUT, ...args], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
  }).trim();
}
