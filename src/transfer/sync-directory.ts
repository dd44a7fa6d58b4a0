/** Names on the disk: a file that is synced is not found after a power loss unless its directory is synced, too. */
import { mkdir, open } from "node:fs/promises";
import { dirname, resolve } from "node:path";

/** What was made, renamed or removed in the directory is so for good. */
export async function syncDirectory(path: string): Promise<void> {
  await using directory = await open(path, "r");
  await directory.sync();
}

/** Makes the directory and those above it that are missing, for good; for its owner alone. */
export async function makeDirectory(path: string): Promise<void> {
  const first = await mkdir(path, { recursive: true, mode: 0o700 });
  if (first === undefined) return;
  for (let made = resolve(path); ; made = dirname(made)) {
    await syncDirectory(dirname(made));
    if (made === resolve(first)) return;
  }
}
