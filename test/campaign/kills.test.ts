/**
 * SIGKILL of the daemon under ten and more running tasks, again and again: whatever it has accepted comes to its end,
 * once, whole, and leaves nothing beside it. `DISKFERRY_DAEMON_KILLS` makes a longer campaign.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Random, SEED } from "../kill/random.ts";
import { QEMU, QEMU_REASON } from "../support/qemu.ts";
import { SWIFT, SWIFT_REASON } from "../support/swift.ts";
import { Campaign, drawMoment } from "./campaign.ts";
import { type Fleet, openFleet } from "./fleet.ts";

const KILLS = Number(process.env["DISKFERRY_DAEMON_KILLS"] ?? 6);
const LONG_MS = 180_000 + KILLS * 30_000;

describe.skipIf(!SWIFT || !QEMU)(`a daemon that is killed${SWIFT_REASON}${QEMU_REASON}`, () => {
  let fleet: Fleet;
  beforeAll(async () => {
    fleet = await openFleet();
  });
  afterAll(() => fleet?.[Symbol.asyncDispose]());

  it("loses no task, sends nothing twice, breaks no limit, and leaves nothing", {
    timeout: LONG_MS,
  }, async () => {
    const random = new Random(SEED);
    const campaign = new Campaign(fleet, random);
    for (let kill = 0; kill < KILLS; kill += 1) await campaign.round(drawMoment(random));
    await campaign.finish();
    if (process.env["DISKFERRY_DAEMON_KILLS"] !== undefined) console.log(campaign.tell());
    expect(campaign.complaints).toEqual([]);
    expect(campaign.figures.runs.most).toBeGreaterThanOrEqual(10);
  });
});
