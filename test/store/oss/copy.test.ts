/** Copies between buckets of OSS: OSS moves the bytes, and nobody else. */
import { randomBytes } from "node:crypto";
import { describe, expect, it } from "vitest";
import { KiB } from "../../../src/bytes/units.ts";
import type { Source } from "../../../src/source/source.ts";
import type { OssConfig } from "../../../src/store/oss/config.ts";
import { openOss } from "../../../src/store/oss/destination.ts";
import { ossSource } from "../../../src/store/oss/source.ts";
import type { CopyPart, Destination, PartReceipt } from "../../../src/store/store.ts";
import { events, Program } from "../../cli/program.ts";
import { sendPart } from "../../support/oss/send.ts";
import { type StrictOss, startStrictOss, TEST_ACCOUNT } from "../../support/oss/server.ts";

const signal = new AbortController().signal;
const BUCKETS = { buckets: ["images", "copies"] };
const PART = 128 * KiB;
const bytes = randomBytes(3 * PART - 1000);

function configOf({ endpoint }: StrictOss, more: Partial<OssConfig> = {}): OssConfig {
  return { region: "cn-hangzhou", ...TEST_ACCOUNT, endpoint, addressing: "virtual-host", ...more };
}

const into = (config: OssConfig, key = "copy.raw") => openOss(config, { bucket: "copies", key }, signal);
const from = (config: OssConfig, key = "disk.raw") => ossSource(config, { bucket: "images", key }, signal);

async function firstOf(destination: Destination, source: Source): Promise<CopyPart> {
  const parts = await destination.copyParts?.(source, signal);
  if (parts?.[0] === undefined) throw new Error("no copy is offered");
  return parts[0];
}

/** An object that is there before anything else. */
async function store(server: StrictOss, content: Uint8Array, key = "disk.raw"): Promise<void> {
  const destination = await openOss(configOf(server), { bucket: "images", key }, signal);
  const upload = await destination.begin({ existing: "replace" }, signal);
  const target = await upload.target({ number: 1 }, signal);
  const receipt = await sendPart(target, { number: 1, offset: 0, bytes: content }, signal);
  await upload.complete([receipt], {}, signal);
}

describe("a copy inside OSS", { timeout: 60_000 }, () => {
  it("lands the same bytes, and none of them come by", async () => {
    await using server = await startStrictOss(BUCKETS);
    await store(server, bytes);
    const sent = server.count("UploadPart");
    using program = new Program({
      OSS_ENDPOINT: server.endpoint,
      OSS_REGION: "cn-hangzhou",
      OSS_ACCESS_KEY_ID: TEST_ACCOUNT.accessKeyId,
      OSS_ACCESS_KEY_SECRET: TEST_ACCOUNT.accessKeySecret,
    });
    const order = ["transfer", "--json", "oss://images/disk.raw", "oss://copies/copy.raw"];
    const { status, stdout, stderr } = await program.run(...order);
    expect([status, stderr]).toEqual([0, ""]);
    expect(events(stdout).at(-1)).toMatchObject({ sent: 0, size: bytes.length });
    expect(server.count("UploadPart")).toBe(sent);
    expect((await server.read("copies", "copy.raw")).equals(bytes)).toBe(true);
  });

  it.each(["given", "withheld"] as const)("lands in parts whose CRCs are %s", async (copiedCrc) => {
    await using server = await startStrictOss({ ...BUCKETS, copiedCrc });
    await store(server, bytes);
    const destination = await into(configOf(server));
    const source = await from(configOf(server));
    const whole = await firstOf(destination, source);
    const upload = await destination.begin({ existing: "refuse", size: bytes.length }, signal);
    const receipts: PartReceipt[] = [];
    for (const number of [1, 2, 3]) {
      const offset = (number - 1) * PART;
      const length = Math.min(PART, bytes.length - offset);
      const part = { number, offset, length, from: { ...whole.from, offset } };
      receipts.push((await upload.copy?.(part, signal)) as PartReceipt);
    }
    const landed = await upload.complete(receipts, {}, signal);
    expect(landed.size).toBe(bytes.length);
    expect(Object.keys(landed.confirmed)).toEqual(copiedCrc === "given" ? ["crc64xz"] : []);
    expect((await server.read("copies", "copy.raw")).equals(bytes)).toBe(true);
  });

  it("fails when the object is another one by then, or gone", async () => {
    await using server = await startStrictOss(BUCKETS);
    await store(server, bytes);
    const source = await from(configOf(server));
    const destination = await into(configOf(server));
    const part = await firstOf(destination, source);
    await store(server, bytes.subarray(1));
    expect(await destination.copyParts?.(source, signal)).toBeUndefined();
    const upload = await destination.begin({ existing: "refuse" }, signal);
    for (const object of ["disk.raw", "gone.raw"]) {
      const copying = upload.copy?.({ ...part, number: 1, from: { ...part.from, object } }, signal);
      await expect(copying).rejects.toMatchObject({ code: "SOURCE_CHANGED" });
    }
    await upload.abort(signal);
    expect([...server.bucket("copies").uploads.keys()]).toEqual([]);
  });

  it("is not offered across regions, nor through the endpoint of one bucket", async () => {
    await using server = await startStrictOss(BUCKETS);
    await store(server, bytes);
    const source = await from(configOf(server));
    for (const other of [{ region: "cn-beijing" }, { addressing: "endpoint-is-bucket" }] as const) {
      expect(await (await into(configOf(server, other))).copyParts?.(source, signal)).toBeUndefined();
    }
    const public_ = {
      ...source,
      stored: { ...(source.stored as NonNullable<typeof source.stored>), url: "cn-hangzhou" },
    };
    expect(await (await into(configOf(server))).copyParts?.(public_, signal)).toBeUndefined();
  });

  it("is not offered of a bucket that the credentials may not see", async () => {
    await using server = await startStrictOss({
      ...BUCKETS,
      faults: [{ kind: "HeadObject", nth: 3, fate: { act: "refuse", status: 403, code: "AccessDenied" } }],
    });
    await store(server, bytes);
    const source = await from(configOf(server));
    const asked = server.count("HeadObject");
    expect(asked).toBe(2);
    expect(await (await into(configOf(server))).copyParts?.(source, signal)).toBeUndefined();
  });
});
