/** Files that qemu-img shall see live in a directory of their own, removed at the end. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";
import { qemuImg } from "../../support/qemu.ts";

/** Call at the top of a test file. @returns a function from file name to path */
export function scratch(): (name: string) => string {
  const directory = mkdtempSync(join(tmpdir(), "diskferry-qcow2-"));
  afterAll(() => rmSync(directory, { recursive: true, force: true }));
  return (name) => join(directory, name);
}

/** What qemu-img reads from an image; `more` comes before the file name, such as `-l snapshot`. */
export function qemuGuest(file: string, ...more: string[]): Buffer {
  const raw = `${file}.guest`;
  qemuImg("convert", "-O", "raw", "-f", "qcow2", ...more, file, raw);
  const guest = readFileSync(raw);
  rmSync(raw);
  return guest;
}

/** Fails unless `qemu-img check` finds neither errors nor leaks. @returns what qemu-img reads */
export function qemuAccepts(file: string, image: Uint8Array): Buffer {
  writeFileSync(file, image);
  qemuImg("check", "-f", "qcow2", file);
  const guest = qemuGuest(file);
  rmSync(file);
  return guest;
}
