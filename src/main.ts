#!/usr/bin/env node
/** The program: signals, exit status, and the command line. */
import { fileURLToPath } from "node:url";
import { EXIT } from "./cli/exit-status.ts";
import { readInstallation } from "./cli/installation.ts";
import { run } from "./cli/program.ts";
import { writeFault } from "./cli/report.ts";
import { Fault } from "./fault/fault.ts";

const stopping = new AbortController();
let asked = 0;
for (const name of ["SIGINT", "SIGTERM"] as const) {
  process.on(name, () => {
    asked += 1;
    // The first asks for a clean stop that leaves a journal; whoever asks again wants out.
    if (asked > 1) process.exit(EXIT.interrupted);
    stopping.abort(
      new Fault(
        "CANCELED",
        "interrupted; run the same command again to go on, or add --restart to begin anew",
      ),
    );
  });
}

const { stdin, stdout, stderr, env } = process;
// Whoever read the output has left: the work goes on without an audience. A full disk is another matter.
let lost: Fault | undefined;
stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE" || lost !== undefined) return;
  lost = Fault.from(error, "standard output");
  writeFault({ stdout, stderr }, lost, false);
});
stderr.on("error", () => {});
process.on("exit", (status) => {
  if (lost !== undefined && status === 0) process.exitCode = EXIT.failed;
});
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
