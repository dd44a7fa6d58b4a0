/** Tasks between containers of a real Swift. */
import { writeFileSync } from "node:fs";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { MiB } from "../../src/bytes/units.ts";
import type { Scheduler } from "../../src/schedule/scheduler.ts";
import type { Destination } from "../../src/store/store.ts";
import { openSwift } from "../../src/store/swift/destination.ts";
import { swiftSource } from "../../src/store/swift/source.ts";
import { digestOf, noise } from "../oracle/disk.ts";
import { configFor, listing, raw } from "../support/swift/drive.ts";
import { SWIFT, SWIFT_REASON, type SwiftServer, startSwift } from "../support/swift.ts";
import { type Gate, partGate } from "./gate.ts";
import { copyOf, exportOf, type Harbour, harbour, importOf } from "./harbour.ts";

const disk = Buffer.concat([noise(8 * MiB), Buffer.alloc(4 * MiB), noise(5 * MiB, 2)]);

describe.skipIf(!SWIFT)(`tasks between containers of a Swift${SWIFT_REASON}`, () => {
  let server: SwiftServer;
  let quay: Harbour;
  let gate: Gate;
  let turn = 0;
  /** Each test has containers of its own. */
  const container = (name: string) => `${name}-${turn}`;
  const names = async (...containers: string[]) => {
    const all = containers.flatMap((name) => [container(name), `${container(name)}_segments`]);
    return (await Promise.all(all.map((name) => listing(server, name)))).flat().map(({ name }) => name);
  };
  const small = (destination: Destination): Destination => ({
    ...destination,
    limits: { ...destination.limits, preferredPart: MiB },
  });

  beforeAll(async () => {
    server = await startSwift();
  });
  afterAll(async () => {
    await server?.stop();
  });
  beforeEach(async () => {
    turn += 1;
    gate = partGate(Number.POSITIVE_INFINITY);
    quay = await harbour();
    quay.places = {
      ...quay.places,
      async destination({ name }, object, signal) {
        const location = { container: container(name), object };
        return gate.before(small(await openSwift(configFor(server), location, signal)));
      },
      source: ({ name }, object, signal) =>
        swiftSource(configFor(server), { container: container(name), object }, signal),
    };
    writeFileSync(quay.path("yard", "disk.raw"), disk);
  });
  afterEach(async () => {
    await quay[Symbol.asyncDispose]();
  });

  async function imported(scheduler: Scheduler): Promise<void> {
    const { id } = await quay.accept(importOf(["disk.raw"], "east-a"));
    expect((await quay.ended(id)).state).toBe("succeeded");
    expect(scheduler.running).toBeLessThanOrEqual(1);
  }

  it("import, copy and export an image, each read back", async () => {
    await imported(await quay.start());
    const copied = await quay.accept({ ...copyOf("east-a", "west-b", "raw"), verify: "read back" });
    expect((await quay.ended(copied.id)).result?.objects).toMatchObject([
      { size: disk.length, guestDigest: digestOf(disk), verified: "read back" },
    ]);
    const copy = await raw(server, "GET", `/${container("west")}/west-b-0`);
    expect(Buffer.from(copy.bytes).equals(disk)).toBe(true);
    const out = exportOf("east-a", ["out.qcow2"], { format: "qcow2", verify: "read back" });
    expect((await quay.ended((await quay.accept(out)).id)).result?.objects).toMatchObject([
      { format: "qcow2", guestDigest: digestOf(disk) },
    ]);
  });

  it("are copied by Swift, with no byte of them sent, whatever the limit of the bandwidth", async () => {
    await imported(await quay.start());
    let targets = 0;
    const { destination } = quay.places;
    quay.places = {
      ...quay.places,
      destination: async (...asked) => {
        const place = await destination(...asked);
        return {
          ...place,
          begin: async (...intent) => {
            const upload = await place.begin(...intent);
            return Object.assign(Object.create(upload) as typeof upload, {
              token: upload.token,
              target: () => {
                targets += 1;
                throw new Error("nothing is to be sent");
              },
            });
          },
        };
      },
    };
    const { id } = await quay.accept(copyOf("east-a", "west-b", "raw"), { bandwidth: 1 });
    const { result } = await quay.ended(id);
    expect(targets).toBe(0);
    // Known of the image, and held by the MD5 of each segment.
    expect(result?.objects).toMatchObject([{ size: disk.length, guestDigest: digestOf(disk) }]);
    const copy = await raw(server, "GET", `/${container("west")}/west-b-0`);
    expect(Buffer.from(copy.bytes).equals(disk)).toBe(true);
    expect((await quay.events(id)).length).toBeGreaterThan(5);
  });

  it("leave nothing of a copy that is cancelled at its line", async () => {
    await imported(await quay.start());
    gate = partGate(5);
    const { id } = await quay.accept(copyOf("east-a", "west-b", "raw"));
    await gate.waiting(1);
    await quay.until(id, ({ progress }) => progress > 11);
    const { cancel } = await quay.cancel(id);
    gate.allow(Number.POSITIVE_INFINITY);
    expect(await quay.ended(id)).toMatchObject({ state: "canceled", progress: cancel?.stopAt });
    expect(await names("west")).toEqual([]);
    expect((await names("east")).length).toBeGreaterThan(1);
  });

  it("go on after a restart with the segments that Swift shows, and send none of them again", async () => {
    const first = await quay.start();
    await imported(first);
    gate = partGate(5);
    const { id } = await quay.accept(copyOf("east-a", "west-b", "raw"));
    await gate.waiting(1);
    await first.drain(0);
    const held = (await names("west")).length;
    expect(held).toBeGreaterThanOrEqual(1);
    gate = partGate(Number.POSITIVE_INFINITY);
    await quay.start();
    expect(await quay.ended(id)).toMatchObject({ state: "succeeded", attempts: 2 });
    const copy = await raw(server, "GET", `/${container("west")}/west-b-0`);
    expect(Buffer.from(copy.bytes).equals(disk)).toBe(true);
    // The zeros of the source are known to be zeros, and no part of the copy.
    expect(gate.passed).toBe(13 - held);
  });
});
