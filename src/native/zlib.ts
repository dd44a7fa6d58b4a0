/** What Node brings of zlib and zstd. */

/** Loaded by the first that asks: most threads never do, and it takes as long to start as a small transfer. */
export function zlib(): typeof import("node:zlib") {
  return process.getBuiltinModule("node:zlib");
}
