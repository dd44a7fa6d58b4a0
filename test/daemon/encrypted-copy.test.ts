/** diskferry copy makes encrypted copies, and plain ones of them, with the real program; qemu-img reads what comes back. */
import { readFileSync, writeFileSync } from "node:fs";
import { PassThrough } from "node:stream";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { KiB, MiB } from "../../src/bytes/units.ts";
import type { CliContext } from "../../src/cli/context.ts";
import { run } from "../../src/cli/program.ts";
import { noise } from "../oracle/disk.ts";
import { QEMU, QEMU_REASON } from "../support/qemu.ts";
import { type DaemonHarbour, daemonHarbour, leftAccess, sameDisk, writeConfig } from "./harbour.ts";

const disk = Buffer.concat([noise(3 * MiB), Buffer.alloc(5 * MiB)]);

describe.skipIf(!QEMU)(
  `diskferry copy, where copies may be encrypted${QEMU_REASON}`,
  { timeout: 120_000 },
  () => {
    let here: DaemonHarbour;

    beforeAll(async () => {
      here = await daemonHarbour(["--config", "daemon.yaml"]);
      writeConfig(here.path, {
        eachRegion: "ownKeys: allowed, encryptOnCopy: allowed",
        more: "projects: { default: { keyService: authorized, ownKeys: allowed } }",
      });
      writeFileSync(here.path("files", "disk.raw"), disk);
      await here.start();
      await here.ask("import", "file:files/disk.raw", "--region", "east", "--name", "plain", "--wait");
      await admin("RegisterKey", { ...key("key-1"), project: "default" });
    });
    afterAll(() => here?.[Symbol.asyncDispose]());

    const key = (id: string) => ({ id, region: "west", serviceGrant: true, tagGrant: true });

    async function admin(method: string, entry: object): Promise<void> {
      const { server, token } = leftAccess(here.path);
      const reply = await fetch(`${server}/diskferry.v1.AdminService/${method}`, {
        method: "POST",
        headers: { "content-type": "application/json", authorization: `Bearer ${token}` },
        body: JSON.stringify({ key: entry }),
      });
      expect([reply.status, await reply.text()]).toEqual([200, expect.any(String)]);
    }

    const copy = (image: string, to: string, name: string, ...how: readonly string[]) =>
      here.ask("copy", image, "--to", to, "--name", name, ...how, "--wait");

    /** What is listed of an image, and where it is stored. */
    async function listed(name: string) {
      const image = await here.ask("images", "--name", name);
      const [{ object }] = image["disks"] as [{ object: string }];
      return { image, path: here.path(String(image["region"]), object) };
    }

    it.each([
      ["--encrypt", [], "service-key/west"],
      ["--encrypt-key", ["key-1"], "key-1"],
    ])(
      "%s stores what no reader of the file can read, and --no-encrypt brings the disk back",
      async (option, value, with_) => {
        const [sealed, open] = [`sealed with ${with_}`, `opened with ${with_}`];
        await copy("plain", "west", sealed, option, ...value, "--verify");
        const { image, path } = await listed(sealed);
        expect(image).toMatchObject({ encrypted: true, keyId: with_ });
        const stored = readFileSync(path);
        const plain = readFileSync((await listed("plain")).path);
        expect(stored.length).toBe(plain.length);
        expect(stored.subarray(0, 4).equals(plain.subarray(0, 4))).toBe(false);
        for (let at = 0; at < 3 * MiB; at += 64 * KiB) {
          const bytes = disk.subarray(at, at + 64);
          expect([at, plain.includes(bytes), stored.includes(bytes)]).toEqual([at, true, false]);
        }
        await copy(sealed, "east", open, "--no-encrypt");
        const back = await listed(open);
        expect(back.image).toMatchObject({ encrypted: false, keyId: "" });
        sameDisk(here.path("files", "disk.raw"), "raw", back.path, "qcow2");
      },
    );

    /** What a command of this process writes to a terminal. */
    async function onTerminal(...args: readonly string[]): Promise<string> {
      const written = new PassThrough();
      const stdout = Object.assign(written, { isTTY: true }) as unknown as NodeJS.WriteStream;
      const nothing = () => Promise.reject(new Error("only the daemon is asked"));
      const context: CliContext = {
        stdin: process.stdin,
        stdout,
        stderr: process.stderr,
        signal: new AbortController().signal,
        installation: { directory: "", version: "", node: "" },
        onHangup: () => {},
        engine: nothing,
        daemon: nothing,
        checkDaemon: nothing,
        access: async () => leftAccess(here.path),
      };
      expect(await run(context, args)).toBe(0);
      written.end();
      return text(written);
    }

    it("images tells in a table which key each has", async () => {
      await copy("plain", "west", "in a table", "--encrypt");
      const lines = (await onTerminal("images")).split("\n");
      expect(lines[0]).toMatch(/ KEY$/);
      expect(lines.find((line) => line.includes("in a table"))).toMatch(/ service-key\/west$/);
      expect(lines.find((line) => line.includes(" plain "))).toMatch(/ -$/);
    });

    it.each([
      ["to a plain copy with a key", ["--no-encrypt", "--encrypt-key", "key-1"], 2, "USAGE", undefined],
      ["with a key that is not there", ["--encrypt-key", "key-2"], 1, "NOT_FOUND", "key-not-found"],
    ])("says no %s", async (_, how, status, code, reason) => {
      const ended = await here.run("copy", "plain", "--to", "west", "--name", "none", ...how);
      expect([ended.status, ended.lines.at(-1)]).toMatchObject([status, { event: "error", code }]);
      expect((ended.lines.at(-1)?.["details"] as { reason?: string } | undefined)?.reason).toBe(reason);
      expect((await here.run("images", "--name", "none")).stdout).toBe("");
    });

    it("says no to what a region's own key has encrypted, and to more of it, while an admin has it disabled", async () => {
      const own = key("service-key/west");
      await copy("plain", "west", "sealed", "--encrypt");
      const within = await here.run("copy", "sealed", "--to", "west", "--name", "none", "--no-encrypt");
      expect(within.lines.at(-1)).toMatchObject({ code: "PRECONDITION", details: { reason: "region-same" } });
      await admin("ReplaceKey", { ...own, state: "KEY_STATE_DISABLED", version: "1" });
      const more = await here.run("copy", "plain", "--to", "west", "--name", "none", "--encrypt");
      expect([more.status, more.lines.at(-1)]).toMatchObject([1, { details: { reason: "key-state" } }]);
      const back = await here.run("copy", "sealed", "--to", "east", "--name", "none", "--no-encrypt");
      expect([back.status, back.lines.at(-1)]).toMatchObject([1, { details: { reason: "image-encrypted" } }]);
      await admin("ReplaceKey", { ...own, state: "KEY_STATE_ENABLED", version: "2" });
      await copy("sealed", "east", "unsealed", "--no-encrypt");
    });
  },
);

it("copies may be encrypted without any configuration", async () => {
  await using here = await daemonHarbour();
  writeFileSync(here.path("disk.raw"), disk);
  await here.start();
  await here.ask("import", "file:home/disk.raw", "--region", "east", "--name", "plain", "--wait");
  await here.ask("copy", "plain", "--to", "west", "--name", "sealed", "--encrypt", "--wait");
  expect(await here.ask("images", "--name", "sealed")).toMatchObject({ keyId: "service-key/west" });
});
