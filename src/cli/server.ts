/** What the commands that ask a daemon have in common: how it is reached, and how they speak. */
import type { Command } from "commander";
import type { AccessOptions } from "../config/access.ts";
import type { Client } from "./client.ts";
import type { CliContext } from "./context.ts";

export interface ServerOptions extends AccessOptions {
  readonly json?: true;
}

export function addServerOptions(command: Command): Command {
  return command
    .option("--server <url>", "the daemon (default: DISKFERRY_SERVER, or the daemon of this user)")
    .option("--token <token>", "bearer token; other users see it, unlike DISKFERRY_TOKEN and --token-file")
    .option("--token-file <file>", "file with the bearer token, or the access.json of a daemon")
    .option("--ca <file>", "PEM file of authorities to trust in place of the system's")
    .option("--certificate <file>", "PEM file of a client certificate")
    .option("--key <file>", "PEM file of its key")
    .option("--json", "JSON lines");
}

/** @throws Fault */
export async function withClient<T>(
  context: CliContext,
  options: ServerOptions,
  work: (client: Client) => Promise<T>,
): Promise<T> {
  const { faultOf, openClient } = await import("./client.ts");
  const client = openClient(await context.access(options));
  try {
    return await work(client);
  } catch (error) {
    throw faultOf(error, client);
  }
}

/** JSON lines are for whoever asks for them, and for pipes. */
export function speaksJson({ stdout }: CliContext, { json }: ServerOptions): boolean {
  return json ?? !stdout.isTTY;
}
