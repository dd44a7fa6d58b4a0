/** Uploads into one directory that do not know of each other. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openDirectory } from "../../src/store/directory/directory.ts";
import { existingInDirectory } from "../../src/store/directory/existing.ts";
import type { Landed, Upload } from "../../src/store/store.ts";

const never = new AbortController().signal;
const REFUSE = { existing: "refuse" } as const;
const REPLACE = { existing: "replace" } as const;

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "diskferry-directory-"));
});
afterEach(() => rmSync(directory, { recursive: true }));

const path = (name: string): string => join(directory, name);

async function write(upload: Upload, text: string): Promise<void> {
  const target = await upload.target({ number: 1 }, never);
  if (target.kind !== "file") throw new Error(`a directory gives a target of kind ${target.kind}`);
  writeFileSync(target.path, text, { flag: "r+" });
}

function complete(upload: Upload, text: string): Promise<Landed> {
  return upload.complete([{ number: 1, length: text.length, etag: "", checksums: {}, offset: 0 }], {}, never);
}

describe("two uploads into one name", () => {
  it("never mix: the first to be complete gets the name, the other is refused and removes only its own", async () => {
    const one = await (await openDirectory(path("out"))).begin(REFUSE, never);
    const other = await (await openDirectory(path("out"))).begin(REFUSE, never);
    await write(one, "one");
    await write(other, "the other");
    await complete(other, "the other");
    await expect(complete(one, "one")).rejects.toMatchObject({ code: "ALREADY_EXISTS" });
    await one.abort(never);
    expect(readdirSync(directory)).toEqual(["out"]);
    expect(readFileSync(path("out"), "utf8")).toBe("the other");
  });

  it("never mix where they replace: each is whole", async () => {
    const one = await (await openDirectory(path("out"))).begin(REPLACE, never);
    const other = await (await openDirectory(path("out"))).begin(REPLACE, never);
    await write(one, "one");
    await write(other, "the other");
    await complete(one, "one");
    expect(readFileSync(path("out"), "utf8")).toBe("one");
    await complete(other, "the other");
    expect(readFileSync(path("out"), "utf8")).toBe("the other");
  });

  it("are discarded and gone on with one by one", async () => {
    const destination = await openDirectory(path("out"));
    const one = await destination.begin(REFUSE, never);
    const other = await destination.begin(REFUSE, never);
    await write(other, "the other");
    await destination.discard(one.token, never);
    await expect(destination.resume(one.token, REFUSE, never)).rejects.toMatchObject({ code: "NOT_FOUND" });
    const again = await destination.resume(other.token, REFUSE, never);
    await complete(again, "the other");
    expect(readdirSync(directory)).toEqual(["out"]);
  });
});

describe("orphans", () => {
  it("are all that was begun under the name, and nothing of another name", async () => {
    const destination = await openDirectory(path("out"));
    const kept = await (await openDirectory(path("out.0123abcd"))).begin(REFUSE, never);
    await destination.begin(REFUSE, never);
    await destination.begin(REFUSE, never);
    expect(readdirSync(directory)).toHaveLength(3);
    await destination.removeOrphans(never);
    expect(readdirSync(directory)).toHaveLength(1);
    await complete(kept, "");
  });

  it("of which nothing was heard are empty: what has data is somebody's", async () => {
    const destination = await openDirectory(path("out"));
    const about = new Date();
    await destination.begin(REFUSE, never);
    const alive = await destination.begin(REFUSE, never);
    await write(alive, "data");
    await destination.removeUnheard?.(about, never);
    expect(readdirSync(directory)).toHaveLength(1);
    await complete(alive, "data");
  });

  it("of before a restart of the host are removed when they cannot be gone on with", async () => {
    const destination = await openDirectory(path("out"));
    const { token } = await destination.begin(REFUSE, never);
    const earlier = { ...token, boot: "another" };
    await expect(destination.resume(earlier, REFUSE, never)).rejects.toMatchObject({ code: "NOT_FOUND" });
    expect(readdirSync(directory)).toEqual([]);
  });
});

describe("the name of a half-written file", () => {
  it("is no name for an object", async () => {
    const { token } = await (await openDirectory(path("out"))).begin(REFUSE, never);
    const [partial = ""] = readdirSync(directory);
    expect(partial).toContain(String(token["id"]));
    await expect(openDirectory(path(partial))).rejects.toMatchObject({ code: "USAGE" });
    await expect(existingInDirectory(directory, [partial])).rejects.toMatchObject({ code: "USAGE" });
    expect(existsSync(path(partial))).toBe(true);
  });

  it("says which object is being written (FJ-7)", async () => {
    await (await openDirectory(path("out"))).begin(REFUSE, never);
    expect(await existingInDirectory(directory, ["out", "ou", "out.raw"])).toEqual(["out"]);
  });
});

describe("a place where no file can be made", () => {
  const refusal = async (name: string): Promise<unknown> => {
    const destination = await openDirectory(name);
    return destination.begin(REFUSE, never).catch((error: unknown) => error);
  };

  it("is told from one that is not there, and says what to do", async () => {
    writeFileSync(path("file"), "");
    expect(await refusal(path("gone/out"))).toMatchObject({
      code: "NOT_FOUND",
      message: `${path("gone/out")}: the directory ${path("gone")} does not exist; make it first`,
    });
    expect(await refusal(path("file/out"))).toMatchObject({
      code: "NOT_FOUND",
      message: `${path("file/out")}: ${path("file")} is not a directory; name another place`,
    });
    // The kernel's own: even root makes no file there.
    expect(await refusal("/proc/out")).toMatchObject({
      code: "NOT_FOUND",
      message: "/proc/out: the directory /proc takes no new files; name another place",
    });
  });
});
