/** What must hold at every store: a transfer that is killed at any moment comes through when it is started again. */
import { appendFile, readdir, readFile, truncate } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type Bench, Campaign, FLAT, openBench, PACKED, type Shape, tell } from "./campaign.ts";
import { KILLS, Random, SEED } from "./random.ts";
import type { Store } from "./store.ts";
import type { Moment } from "./tripwire.ts";

/** So that the middle is wide however busy the machine is, and parts are in the journal when the next are sent. */
const SLOWLY = ["--bandwidth", "32M", "--concurrency", "1"];

const LONG_MS = 120_000 + KILLS * 20_000;

export interface Chains {
  /** Besides a flat and a packed one. */
  readonly shapes?: readonly Shape[];
  /** Chains of moments at which the program knows less than the store: one transfer is killed at each in turn. */
  readonly windows: readonly (readonly Moment[])[];
  /** In the middle of everything. */
  readonly middle: Moment;
  /** Where the object is published, and nobody was told. */
  readonly published: Moment;
  /** Where the landed object is read back; absent where that cannot be seen. */
  readonly reading?: Moment;
  /** OpenStack Swift's S3 API keeps the parts of an object that another replaces, whoever replaces it. */
  readonly replaced?: "stays";
}

export function survivesKills(
  title: string,
  available: boolean,
  open: (bench: Bench) => Promise<Store>,
  { shapes = [], windows, middle, published, reading, replaced }: Chains,
): void {
  describe.skipIf(!available)(title, { timeout: LONG_MS }, () => {
    let bench: Bench;
    let store: Store;
    beforeAll(async () => {
      bench = await openBench();
      store = await open(bench);
    });
    afterAll(async () => {
      await store?.[Symbol.asyncDispose]();
      await bench?.[Symbol.asyncDispose]();
    });

    describe.each([FLAT, PACKED, ...shapes])("$title", (shape) => {
      let campaign: Campaign;
      beforeAll(async () => {
        campaign = new Campaign(bench, store, shape);
        expect(await campaign.measure()).toEqual([]);
      }, LONG_MS);
      afterAll(() => {
        if (process.env["DISKFERRY_KILLS"] === undefined) return;
        console.log(`${shape.title} to ${store.title}, seed ${SEED}: ${JSON.stringify(campaign.figures)}`);
      });

      it("lands the same bytes, sends nothing twice and leaves nothing, however often it is killed", async () => {
        const random = new Random(SEED);
        const complaints: string[] = [];
        for (let trial = 0; campaign.figures.kills < KILLS && trial < 3 * KILLS; trial += 1) {
          const moments = Array.from({ length: random.upTo(4) }, () => campaign.moment(random));
          complaints.push(...(await campaign.trial(moments)));
        }
        expect(complaints).toEqual([]);
        expect(campaign.figures.kills).toBeGreaterThanOrEqual(KILLS);
      });

      it("does so too when it is killed wherever the store knows more than the journal", async () => {
        for (const chain of windows) {
          // Some shapes do without some requests.
          const moments = chain.filter(({ kind }) => campaign.counts[kind] !== undefined);
          const before = campaign.figures.kills;
          expect(await campaign.trial(moments)).toEqual([]);
          expect(campaign.figures.kills - before).toBe(moments.length);
        }
      });
    });

    describe("and started again", () => {
      let campaign: Campaign;
      beforeAll(() => {
        campaign = new Campaign(bench, store, FLAT);
      });

      beforeEach(() => store.clear());

      /** The stopped run has truly been in the middle. */
      const stopsOnce = async (given: Parameters<Campaign["trial"]>[1], moment = middle): Promise<void> => {
        const before = campaign.figures.kills;
        expect(await campaign.trial([moment], { first: SLOWLY, ...given })).toEqual([]);
        expect(campaign.figures.kills - before).toBe(1);
      };
      const journal = async (): Promise<string> => {
        const [name = ""] = (await readdir(bench.state)).filter((file) => file.endsWith(".journal"));
        return join(bench.state, name);
      };

      it("stops at SIGINT with status 130, and goes on", async () => {
        await stopsOnce({ signal: "SIGINT" });
      });

      it("begins anew with --restart, and leaves nothing of the first upload", async () => {
        await stopsOnce({ last: ["--restart"], goesOn: false });
      });

      it("begins anew when the store has forgotten the upload", async () => {
        await stopsOnce({ between: () => store.dropUploads(), goesOn: false });
      });

      it.each([
        [
          "has half a line more",
          async (path: string) => appendFile(path, '{"event":"segment","receipt":{"num'),
        ],
        [
          "lost half of its last line",
          async (path: string) => truncate(path, (await readFile(path)).length - 9),
        ],
      ])("goes on when the journal %s", async (_, tear) => {
        // Killed once more, so that what was written behind the tear has to be read.
        const between = async () => tear(await journal());
        expect(await campaign.trial([middle, middle], { first: SLOWLY, between })).toEqual([]);
      });

      it.skipIf(replaced === "stays")(
        `removes the object that it replaced, also when it was killed before it came to that${
          replaced === "stays" ? " (skipped: Swift's S3 API keeps the parts of a replaced object)" : ""
        }`,
        async () => {
          expect(await campaign.trial([], { name: "replaced" })).toEqual([]);
          await stopsOnce({ name: "replaced", options: ["--overwrite"] }, published);
          await store.clear();
        },
      );

      it.skipIf(reading === undefined)(
        `reads back what landed, also when it was killed while it did${reading === undefined ? " (skipped: reading a file makes no request to be seen)" : ""}`,
        async () => {
          await stopsOnce({ options: ["--verify"] }, reading);
        },
      );

      it("refuses a second process, which changes nothing", async () => {
        const first = campaign.start("shared", SLOWLY);
        const reached = new Promise<void>((resolve) => store.tripwire.arm(middle, resolve)).then(
          () => "reached",
        );
        expect(await Promise.race([reached, first.ended])).toBe("reached");
        first.kill("SIGSTOP");
        const second = await campaign.start("shared").ended;
        const third = await campaign.start("shared", ["--restart"]).ended;
        first.kill("SIGCONT");
        for (const refused of [second, third]) {
          expect(refused.said.at(-1), tell(refused)).toMatchObject({
            code: "USAGE",
            message: expect.stringContaining("is transferring to it now"),
          });
          expect(refused.code).toBe(2);
        }
        const ended = await first.ended;
        expect(ended.code, tell(ended)).toBe(0);
        expect(await store.digest("shared")).toBe(bench.disk);
        expect(await bench.journals()).toEqual([]);
        await store.clear();
      });
    });
  });
}
