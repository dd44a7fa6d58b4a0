/** Tells the service manager of this host how the daemon is, where one has asked for it. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { Fault } from "../fault/fault.ts";
import type { Log } from "../telemetry/log.ts";

const TELL_MS = 5_000;

/**
 * By systemd's own program: the socket that it speaks to is of a kind that Node does not open. Never throws.
 * @param state as sd_notify(3) says it.
 */
export async function tellManager(
  state: "READY=1" | "STOPPING=1",
  env: Readonly<Record<string, string | undefined>>,
  log: Log,
): Promise<void> {
  if (!env["NOTIFY_SOCKET"]) return;
  try {
    await promisify(execFile)("systemd-notify", [state], { timeout: TELL_MS, env: { ...env } });
  } catch (error) {
    log.note("warn", "manager-not-told", { state, message: Fault.from(error, "systemd-notify").message });
  }
}
