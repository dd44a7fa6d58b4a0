#!/usr/bin/env node
/** The program: signals, exit status, and the command line. */
import { fileURLToPath } from "node:url";
import { readInstallation } from "./cli/installation.ts";
import { run } from "./cli/program.ts";
import { Fault } from "./fault/fault.ts";

const stopping = new AbortController();
let asked = 0;
for (const name of ["SIGINT", "SIGTERM"] as const) {
  process.on(name, () => {
    asked += 1;
    // The first asks for a clean stop that leaves a journal; whoever asks again wants out.
    if (asked > 1) process.exit(130);
    stopping.abort(
      new Fault(
        "CANCELED",
        "interrupted; run the same command again to go on, or add --restart to begin anew",
      ),
    );
  });
}

const { stdin, stdout, stderr, env } = process;
// Whoever read the output has left: the work goes on without an audience.
for (const stream of [stdout, stderr]) stream.on("error", () => {});
process.exitCode = await run(
  {
    stdin,
    stdout,
    stderr,
    signal: stopping.signal,
    // This file stands in a folder of the package, as source and as published. An old Node has no `import.meta.dirname`.
    installation: readInstallation(fileURLToPath(new URL("..", import.meta.url))),
    onHangup: (reload) => void process.on("SIGHUP", reload),
    engine: async (options) => (await import("./compose.ts")).compose(env, options),
    daemon: async (options) => (await import("./compose-daemon.ts")).openDaemon(env, options),
    checkDaemon: async (options) => (await import("./compose-daemon.ts")).checkDaemon(env, options),
    access: async (options) => (await import("./config/access.ts")).readAccess(options, env),
  },
  process.argv.slice(2),
);
