/** Keeps what V8 has compiled: the next start need not compile it again. */
import { statSync } from "node:fs";
import { enableCompileCache } from "node:module";
import { homedir } from "node:os";
import { isAbsolute, join } from "node:path";

/** Writable by more than the owner. */
const OTHERS_WRITE = 0o022;

/**
 * For this process and, by `env`, for its threads. What the cache holds is run, so it lies where nobody but this user
 * can write: under XDG_CACHE_HOME or the home directory, or nowhere. Node's own variables NODE_COMPILE_CACHE and
 * NODE_DISABLE_COMPILE_CACHE count for more.
 */
export function keepCompiledCode(env: NodeJS.ProcessEnv): void {
  if (env["NODE_COMPILE_CACHE"] !== undefined) return;
  const directory = ownDirectory(env["XDG_CACHE_HOME"] ?? "");
  if (directory === undefined) return;
  env["NODE_COMPILE_CACHE"] = directory;
  enableCompileCache(directory);
}

/** @param named in place of the user's own cache, if it is an absolute path. */
function ownDirectory(named: string): string | undefined {
  try {
    const [base, ...below] = isAbsolute(named) ? [named] : [homedir(), ".cache"];
    const { uid, mode } = statSync(base);
    if (uid !== process.getuid?.() || (mode & OTHERS_WRITE) !== 0) return undefined;
    return join(base, ...below, "diskferry", "compiled");
  } catch {
    // Not every user has a home, and not every home can be looked at.
    return undefined;
  }
}
