/** Encrypted images from the command line to the disk: the real program, its state directory, and its ends. */
import { createDecipheriv } from "node:crypto";
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { MiB } from "../../src/bytes/units.ts";
import type { Image } from "../../src/catalog/image.ts";
import { digestOf, noise } from "../oracle/disk.ts";
import { type DaemonHarbour, daemonHarbour, writeConfig } from "./harbour.ts";

const disk = Buffer.concat([noise(3 * MiB), Buffer.alloc(5 * MiB)]);

describe("a daemon whose project encrypts what is copied", { timeout: 120_000 }, () => {
  let here: DaemonHarbour;

  beforeEach(async () => {
    here = await daemonHarbour(["--config", "daemon.yaml"]);
    writeConfig(here.path, {
      more: "projects: { default: { defaultEncryption: on, keyService: authorized } }",
    });
    writeFileSync(here.path("files", "disk.raw"), disk);
    await here.start();
    await here.ask("import", "file:files/disk.raw", "--region", "east", "--name", "plain", "--wait");
  });
  afterEach(() => here?.[Symbol.asyncDispose]());

  const state = (...names: string[]): string => here.path("state", "diskferry", "daemon", ...names);
  const keyFile = (): string => state("keys", readdirSync(state("keys"))[0] ?? "");

  /** Only while no daemon has the record. */
  function imageNamed(name: string): Image {
    using database = new DatabaseSync(state("record.db"), { readOnly: true });
    const row = database.prepare("SELECT body FROM image WHERE name = ?").get(name);
    return JSON.parse(String(row?.["body"])) as Image;
  }

  /** What lies in the image store, decrypted as `docs/operations.md` says. */
  function decrypted({ id, encryption, disks }: Image): Buffer {
    const master = Buffer.from(JSON.parse(readFileSync(keyFile(), "utf8")).key, "base64");
    const wrapped = Buffer.from(encryption?.dataKey ?? "", "base64");
    const opener = createDecipheriv("aes-256-gcm", master, wrapped.subarray(0, 12));
    opener.setAAD(Buffer.from(JSON.stringify(["diskferry data key", 1, encryption?.key, id])));
    opener.setAuthTag(wrapped.subarray(12, 28));
    const key = Buffer.concat([opener.update(wrapped.subarray(28)), opener.final()]);
    const stored = readFileSync(here.path("east", disks[0]?.object ?? ""));
    return createDecipheriv("aes-256-ctr", key, Buffer.alloc(16)).update(stored);
  }

  it("reads and copies what it has encrypted, after each start anew", async () => {
    await here.ask("copy", "plain", "--to", "east", "--name", "first", "--verify", "--wait");
    here.daemon.kill("SIGKILL");
    await here.daemon.ended;
    await here.start();
    await here.ask("copy", "first", "--to", "east", "--name", "second", "--verify", "--wait");
    here.daemon.kill("SIGTERM");
    await here.daemon.ended;
    const images = ["first", "second"].map(imageNamed);
    for (const image of images) {
      expect(image).toMatchObject({ encrypted: "yes", key: "service-key/east" });
      expect(image.disks[0]?.guestDigest).toBe(digestOf(disk));
      // The region keeps its images as qcow2.
      expect(decrypted(image).toString("latin1", 0, 4)).toBe("QFI\xfb");
    }
    const [first, second] = images.map(({ disks }) =>
      readFileSync(here.path("east", disks[0]?.object ?? "")),
    );
    expect(first?.subarray(0, 4).equals(second?.subarray(0, 4) ?? Buffer.alloc(0))).toBe(false);
    expect(statSync(keyFile()).mode & 0o777).toBe(0o600);
    expect(statSync(state("keys")).mode & 0o777).toBe(0o700);
  });

  it("says which key is lost, and takes it back when it is there again; it never says the key", async () => {
    await here.ask("copy", "plain", "--to", "east", "--name", "first", "--wait");
    const kept = readFileSync(keyFile(), "utf8");
    writeFileSync(keyFile(), kept.slice(0, -20));
    const refused = [
      await here.run("copy", "plain", "--to", "east", "--name", "second"),
      await here.run("copy", "first", "--to", "east", "--name", "second"),
    ];
    expect(refused.map(({ status }) => status)).not.toContain(0);
    expect(refused[0]?.stdout).toContain("no data key could be made with key service-key/east");
    expect(refused[1]?.stdout).toContain("is encrypted with a key that cannot be used");
    writeFileSync(keyFile(), kept);
    await here.ask("copy", "first", "--to", "east", "--name", "second", "--verify", "--wait");
    here.daemon.kill("SIGTERM");
    const { stdout, stderr } = await here.daemon.ended;
    const said = [stdout, stderr, ...refused.flatMap((one) => [one.stdout, one.stderr])].join("\n");
    expect(said).toContain('"event":"key-unusable"');
    expect(said).not.toContain(String(JSON.parse(kept).key).slice(0, 16));
  });
});
