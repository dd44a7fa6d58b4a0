import { createDecipheriv } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Keyring, openKeyring } from "../../src/keyring/keyring.ts";

let directory: string;
let keyring: Keyring;
beforeEach(() => {
  directory = join(mkdtempSync(join(tmpdir(), "keyring-")), "state", "keys");
  keyring = openKeyring(directory);
});
afterEach(() => rmSync(join(directory, "..", ".."), { recursive: true }));

const BINDING = { key: "key-1", image: "image-1" };
const files = (): string[] => readdirSync(directory).map((name) => join(directory, name));
/** The file of the only key. */
const file = (): string => files()[0] ?? "";
const told = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => "nothing",
    (fault: { code: string; message: string }) => fault,
  );

describe("a keyring", () => {
  it("keeps each master key in a file of its own, for its owner alone", async () => {
    await keyring.make("key-1");
    await keyring.make("../../key 2/ö");
    expect(files().map((path) => statSync(path).mode & 0o777)).toEqual([0o600, 0o600]);
    expect(statSync(directory).mode & 0o777).toBe(0o700);
    expect(
      files()
        .map((path) => JSON.parse(readFileSync(path, "utf8")).id)
        .sort(),
    ).toEqual(["../../key 2/ö", "key-1"]);
  });

  it("makes a key once, however many ask at once", async () => {
    await Promise.all(Array.from({ length: 8 }, () => keyring.make("key-1")));
    const before = readFileSync(file());
    await keyring.make("key-1");
    expect(files()).toHaveLength(1);
    expect(readFileSync(file()).equals(before)).toBe(true);
  });

  it("unwraps what it has wrapped, also after it was opened anew", async () => {
    await keyring.make("key-1");
    const dataKey = await keyring.wrapFresh(BINDING);
    const key = await keyring.unwrap(BINDING, dataKey);
    expect(key.symmetricKeySize).toBe(32);
    expect((await openKeyring(directory).unwrap(BINDING, dataKey)).equals(key)).toBe(true);
  });

  it("wraps with AES-256-GCM, bound to the image and the key", async () => {
    await keyring.make("key-1");
    const bytes = Buffer.from(await keyring.wrapFresh(BINDING), "base64");
    const master = Buffer.from(JSON.parse(readFileSync(file(), "utf8")).key, "base64");
    const decipher = createDecipheriv("aes-256-gcm", master, bytes.subarray(0, 12));
    decipher.setAAD(Buffer.from('["diskferry data key",1,"key-1","image-1"]'));
    decipher.setAuthTag(bytes.subarray(12, 28));
    const plain = Buffer.concat([decipher.update(bytes.subarray(28)), decipher.final()]);
    const key = await keyring.unwrap(BINDING, bytes.toString("base64"));
    expect(key.export().equals(plain)).toBe(true);
  });

  it("gives every image a data key of its own, and every wrapping a nonce", async () => {
    await keyring.make("key-1");
    const wrapped = await Promise.all(Array.from({ length: 20 }, () => keyring.wrapFresh(BINDING)));
    const keys = await Promise.all(wrapped.map((one) => keyring.unwrap(BINDING, one)));
    expect(new Set(keys.map((key) => key.export().toString("hex"))).size).toBe(20);
    expect(new Set(wrapped.map((one) => Buffer.from(one, "base64").toString("hex", 0, 12))).size).toBe(20);
  });

  it.each([
    ["another image", { ...BINDING, image: "image-2" }],
    ["another key", { ...BINDING, key: "key-2" }],
  ])("opens no data key for %s", async (_, binding) => {
    await keyring.make("key-1");
    await keyring.make("key-2");
    const dataKey = await keyring.wrapFresh(BINDING);
    expect(await told(keyring.unwrap(binding, dataKey))).toMatchObject({ code: "IO" });
  });

  it("opens nothing that was changed in any bit, and nothing that is no data key", async () => {
    await keyring.make("key-1");
    const dataKey = Buffer.from(await keyring.wrapFresh(BINDING), "base64");
    for (let at = 0; at < dataKey.length; at += 1) {
      const changed = Buffer.from(dataKey);
      changed[at] = (changed[at] ?? 0) ^ 1;
      expect(await told(keyring.unwrap(BINDING, changed.toString("base64")))).toMatchObject({ code: "IO" });
    }
    for (const text of ["", "AAAA", "?", dataKey.toString("base64").slice(0, -4)]) {
      expect(await told(keyring.unwrap(BINDING, text))).toMatchObject({ code: "IO" });
    }
  });

  describe("wraps and unwraps nothing with a master key", () => {
    const spoilt: readonly (readonly [what: string, code: string, spoil: () => void])[] = [
      ["that was never made", "NOT_FOUND", () => rmSync(file())],
      ["whose file is empty", "IO", () => writeFileSync(file(), "")],
      ["whose file is cut short", "IO", () => writeFileSync(file(), readFileSync(file()).subarray(0, 40))],
      ["whose file says another id", "IO", () => change({ id: "key-2" })],
      ["that is too short", "IO", () => change({ key: Buffer.alloc(16).toString("base64") })],
      ["of a later version", "IO", () => change({ version: 2 })],
    ];
    const change = (given: object): void =>
      writeFileSync(file(), JSON.stringify({ ...JSON.parse(readFileSync(file(), "utf8")), ...given }));

    it.each(spoilt)("%s", async (_, code, spoil) => {
      await keyring.make("key-1");
      const dataKey = await keyring.wrapFresh(BINDING);
      const secret = JSON.parse(readFileSync(file(), "utf8")).key as string;
      spoil();
      for (const work of [() => keyring.wrapFresh(BINDING), () => keyring.unwrap(BINDING, dataKey)]) {
        const fault = await told(work());
        expect(fault).toMatchObject({ code, message: expect.stringContaining("master key key-1") });
        expect(String(fault)).not.toContain(secret.slice(0, 12));
      }
    });
  });
});
