/** qemu-img and qemu-io as oracles. */
import { execFileSync, spawnSync } from "node:child_process";

export const QEMU = spawnSync("qemu-img", ["--version"]).status === 0;

/** Put into a suite's title, so that a skip says why. */
export const QEMU_REASON = QEMU ? "" : " (skipped: qemu-img is not installed)";

export function qemuImg(...args: string[]): string {
  return execFileSync("qemu-img", args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
}

export function qemuIo(file: string, format: string, ...commands: string[]): string {
  return execFileSync("qemu-io", ["-f", format, ...commands.flatMap((c) => ["-c", c]), file], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
  });
}
