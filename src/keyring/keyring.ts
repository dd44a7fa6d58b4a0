/**
 * The local keyring: a file for each master key. A master key encrypts the data keys of images and nothing else; they
 * are kept wrapped, and are plain in the memory of this process only.
 */
import { createHash, createSecretKey, type KeyObject, randomBytes } from "node:crypto";
import { link, open, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { Fault } from "../fault/fault.ts";
import { makeDirectory, syncDirectory } from "../transfer/sync-directory.ts";
import { unwrapped, wrapped } from "./wrap.ts";

/** What a wrapped key is bound to: it opens for no other. */
export interface Binding {
  readonly key: string;
  readonly image: string;
}

export interface Keyring {
  /** Makes the master key unless it is there. Durable when it resolves. @throws Fault IO, NO_SPACE, PERMISSION */
  make(key: string): Promise<void>;
  /**
   * A fresh data key for the image, wrapped with the master key, as text.
   * @throws Fault NOT_FOUND when the master key is not there; IO when its file is damaged; PERMISSION, …
   */
  wrapFresh(binding: Binding): Promise<string>;
  /**
   * @throws Fault as `wrapFresh` does; IO also when this master key has not wrapped it for this image.
   */
  unwrap(binding: Binding, dataKey: string): Promise<KeyObject>;
}

const KEY_BYTES = 32;

/** The id stands in the file, so that a file under another's name is found out. */
const fileSchema = z.strictObject({
  version: z.literal(1),
  id: z.string(),
  key: z.base64().refine((text) => Buffer.from(text, "base64").length === KEY_BYTES),
});

/** @param directory made with the first key */
export function openKeyring(directory: string): Keyring {
  // Ids are text of any kind, and names of files are not.
  const pathOf = (key: string): string =>
    join(directory, `${createHash("sha256").update(key).digest("hex").slice(0, 32)}.key`);

  async function masterKey(id: string): Promise<KeyObject> {
    const path = pathOf(id);
    const name = `master key ${id}`;
    const text = await readFile(path, "utf8").catch((error: unknown) => {
      const fault = Fault.from(error, path);
      throw new Fault(fault.code, `${name}: cannot be read: ${fault.message}`, { cause: error });
    });
    const file = parseFile(text);
    if (file?.id !== id) throw new Fault("IO", `${name}: ${path} is damaged`);
    return secretKey(Buffer.from(file.key, "base64"));
  }

  return {
    async make(id) {
      try {
        await makeDirectory(directory);
        await writeOnce(directory, pathOf(id), (key) => JSON.stringify({ version: 1, id, key }));
      } catch (error) {
        throw Fault.from(error, `master key ${id}`);
      }
    },
    async wrapFresh(binding) {
      const master = await masterKey(binding.key);
      const plain = randomBytes(KEY_BYTES);
      try {
        return wrapped(plain, master, contextOf(binding));
      } finally {
        plain.fill(0);
      }
    },
    async unwrap(binding, dataKey) {
      const master = await masterKey(binding.key);
      const plain = unwrapped(dataKey, master, contextOf(binding));
      if (plain?.length !== KEY_BYTES) {
        throw new Fault("IO", `image ${binding.image}: its data key does not open with key ${binding.key}`);
      }
      return secretKey(plain);
    },
  };
}

function contextOf({ key, image }: Binding): Buffer {
  return Buffer.from(JSON.stringify(["diskferry data key", 1, key, image]));
}

function secretKey(plain: Buffer): KeyObject {
  const key = createSecretKey(plain);
  plain.fill(0);
  return key;
}

/** Undefined when it is no such file: what is in it is not for any message. */
function parseFile(text: string): z.infer<typeof fileSchema> | undefined {
  try {
    return fileSchema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

/** Whoever comes second finds the file of the first: a file comes into being with its content. */
async function writeOnce(directory: string, path: string, contentOf: (key: string) => string): Promise<void> {
  const aside = `${path}.${randomBytes(8).toString("hex")}.new`;
  try {
    await using file = await open(aside, "wx", 0o600);
    await file.writeFile(contentOf(randomBytes(KEY_BYTES).toString("base64")));
    await file.sync();
    await link(aside, path).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "EEXIST") throw error;
    });
  } finally {
    await rm(aside, { force: true });
  }
  await syncDirectory(directory);
}
