/** SIGKILL of a daemon around the copies that S3 and OSS make by themselves: nothing is sent, lost, or left. */
import { createReadStream } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { writeSpread } from "../daemon/disk.ts";
import { type DaemonHarbour, daemonHarbour, writeConfig } from "../daemon/harbour.ts";
import { ossStore } from "../kill/oss-store.ts";
import { s3AtCeph, s3AtSwift } from "../kill/s3-store.ts";
import { type Store, sha256 } from "../kill/store.ts";
import type { Moment } from "../kill/tripwire.ts";
import { CEPH, CEPH_REASON } from "../support/ceph.ts";
import { SWIFT, SWIFT_REASON } from "../support/swift.ts";

const MiB = 1024 ** 2;

const STORES = [
  [`the S3 API of a Swift${SWIFT_REASON}`, SWIFT, s3AtSwift],
  [`a Ceph gateway${CEPH_REASON}`, CEPH, s3AtCeph],
  ["the OSS stand-in", true, ossStore],
] as const;

const MOMENTS: readonly (readonly [title: string, moment: Moment])[] = [
  ["before it has heard of the upload that it has begun", { kind: "begin", phase: "done", nth: 1 }],
  ["when it asks for the copy", { kind: "copy", phase: "asked", nth: 1 }],
  ["before it has heard of the copy", { kind: "copy", phase: "done", nth: 1 }],
  ["when it has heard of the copy", { kind: "copy", phase: "told", nth: 1 }],
  ["before it has heard that the copy is published", { kind: "complete", phase: "done", nth: 1 }],
];

describe.each(STORES)("a daemon whose images lie in %s", (_title, available, startStore) => {
  describe.skipIf(!available)("which is on loopback", () => {
    let store: Store;
    let here: DaemonHarbour;
    let disk: string;

    beforeAll(async () => {
      store = await startStore();
      here = await daemonHarbour(["--config", "daemon.yaml"]);
      writeConfig(here.path, {
        regions: "far: { imageStore: far, imageWrite: { format: raw } }",
        destinations: `far: { region: far, location: "${store.place("far")}", credential: store }`,
        more: `credentials:\n  store: ${credentialOf(store)}\nlimits: { threads: 2 }\nlog: { file: ${here.path("daemon.log")} }`,
      });
      writeSpread(here.path("files", "disk.raw"), { runs: 3, apart: 4 * MiB, data: 4 * MiB });
      disk = await sha256(createReadStream(here.path("files", "disk.raw")));
      await here.start();
      await here.ask("import", "file:files/disk.raw", "--region", "far", "--name", "first", "--wait");
    });
    afterAll(async () => {
      await here?.[Symbol.asyncDispose]();
      await store?.[Symbol.asyncDispose]();
    });

    it.each(MOMENTS)("that is killed %s brings it to its end", async (title, moment) => {
      const sent = store.sent?.length;
      await here.ask("limits", "far", "--copies", "0");
      const { id } = await here.ask("copy", "first", "--to", "far", "--name", title);
      store.tripwire.arm(moment, () => here.daemon.kill("SIGKILL"));
      // It may be dead before it answers.
      await here.run("limits", "far", "--copies", "5");
      await here.daemon.ended;
      await store.tripwire.quiet();
      store.tripwire.arm(undefined, () => {});
      await here.start();
      const task = await here.ask("watch", String(id));
      expect(task).toMatchObject({ state: "TASK_STATE_SUCCEEDED", attempts: 2 });
      const [object = ""] = (task["copySpec"] as { image: { objects: string[] } }).image.objects;
      expect(await store.digest(`far/${object}`)).toBe(disk);
      expect([await store.orphans(), store.sent?.length]).toEqual([[], sent]);
    });
  });
});

function credentialOf({ environment: env }: Store): string {
  return env["OSS_ENDPOINT"] === undefined
    ? `{ s3: { endpoint: "${env["AWS_ENDPOINT_URL"]}", accessKeyId: "${env["AWS_ACCESS_KEY_ID"]}", secretAccessKey: "${env["AWS_SECRET_ACCESS_KEY"]}" } }`
    : `{ oss: { endpoint: "${env["OSS_ENDPOINT"]}", region: ${env["OSS_REGION"]}, accessKeyId: "${env["OSS_ACCESS_KEY_ID"]}", accessKeySecret: "${env["OSS_ACCESS_KEY_SECRET"]}" } }`;
}
