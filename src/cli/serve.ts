/** diskferry serve: the daemon. */
import { once } from "node:events";
import type { Command } from "commander";
import type { DaemonSummary } from "../config/daemon-summary.ts";
import type { CliContext, Daemon } from "./context.ts";
import { portOption } from "./options.ts";

interface ServeOptions {
  readonly config?: string;
  readonly port?: number;
  readonly check?: true;
  readonly json?: true;
}

export function addServe(program: Command, context: CliContext): void {
  program
    .command("serve")
    .summary("run the daemon that takes exports, imports and copies")
    .description(
      "Answers Connect, gRPC and JSON over HTTP, and carries out what it is asked for, as many tasks at once as the " +
        "regions have slots. What it has accepted outlives it: after a crash it goes on where it stopped.\n\n" +
        "Without a configuration file it listens on this host alone, with two sample regions whose images are files " +
        "in the state directory, and one token, in a file that the commands of the same user find.\n\n" +
        "SIGTERM: starts nothing more, lets running tasks come to a good end or park, and ends with status 0.\n" +
        "SIGHUP: reads key and certificates of the TLS port again.",
    )
    .option("--config <file>", "configuration file (docs/operations.md explains every key)")
    .option(
      "--port <n>",
      "port, without a configuration file (default: 7411; 0: one that is free)",
      portOption,
    )
    .option("--check", "look at the configuration, say what it means, and start nothing")
    .option("--json", "JSON lines")
    .addHelpText(
      "after",
      "\nExamples:\n" +
        "  diskferry serve\n" +
        "  diskferry serve --config /etc/diskferry/daemon.yaml --check\n" +
        "  diskferry serve --config /etc/diskferry/daemon.yaml\n",
    )
    .action((options: ServeOptions) => serve(options, context));
}

async function serve(options: ServeOptions, context: CliContext): Promise<void> {
  const { stdout, stderr, signal } = context;
  const { config, port } = options;
  const asked = {
    stderr,
    ...(config === undefined ? {} : { config }),
    ...(port === undefined ? {} : { port }),
  };
  const json = options.json ?? !stdout.isTTY;
  const say = (event: Readonly<Record<string, unknown>>, lines: Iterable<string>): void => {
    if (json) stdout.write(`${JSON.stringify(event)}\n`);
    else for (const line of lines) stdout.write(`${line}\n`);
  };
  if (options.check) {
    const summary = await context.checkDaemon(asked);
    say({ event: "checked", ...summary }, summaryLines(summary));
    return;
  }
  let daemon: Daemon | undefined;
  // Before it is open it has nothing to read again, and must not die of being asked to.
  context.onHangup(() => void daemon?.reload());
  daemon = await context.daemon(asked);
  const { urls, stateDirectory, accessFile } = daemon;
  say({ event: "ready", urls, stateDirectory, ...(accessFile === undefined ? {} : { accessFile }) }, [
    ...urls.map((url) => `listening  ${url}`),
    `state      ${stateDirectory}`,
    ...(accessFile === undefined
      ? []
      : [`token      in ${accessFile}, where the commands of this user find it`]),
  ]);
  if (!signal.aborted) await once(signal, "abort");
  say({ event: "draining" }, ["draining: a second signal ends the daemon at once"]);
  await daemon.end();
  say({ event: "ended" }, ["ended"]);
}

function* summaryLines(summary: DaemonSummary): Generator<string> {
  const line = (name: string, text: string): string => `${name.padEnd(12)} ${text}`;
  const { cleartext, tls, callers } = summary;
  yield line("state", summary.stateDirectory);
  if (cleartext !== undefined) yield line("cleartext", cleartext);
  if (tls !== undefined) yield line("tls", tls);
  for (const { id, imageStore } of summary.regions) yield line("region", `${id}, images in ${imageStore}`);
  for (const { name, region, location } of summary.destinations) {
    yield line("destination", `${name} in ${region}: ${location}`);
  }
  for (const name of summary.credentials) yield line("credential", name);
  for (const name of summary.projects) yield line("project", name);
  for (const [name, path] of Object.entries(summary.roots)) yield line("root", `${name}: ${path}`);
  for (const id of summary.volumes) yield line("volume", id);
  for (const { name, project, role } of callers) yield line("caller", `${name}: ${role} of ${project}`);
  if (callers.length === 0) yield line("caller", "admin, with the token in the state directory");
}
