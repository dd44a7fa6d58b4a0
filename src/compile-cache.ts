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
  const named = env["XDG_CACHE_HOME"] ?? "";
  const base = isAbsolute(named) ? named : homedir();
  if (!isOwn(base)) return;
  const directory = join(base === named ? base : join(base, ".cache"), "diskferry", "compiled");
  env["NODE_COMPILE_CACHE"] = directory;
  enableCompileCache(directory);
}

function isOwn(directory: string): boolean {
  const found = statSync(directory, { throwIfNoEntry: false });
  return found !== undefined && found.uid === process.getuid?.() && (found.mode & OTHERS_WRITE) === 0;
}
