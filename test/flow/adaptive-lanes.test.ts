import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { AdaptiveLanes } from "../../src/flow/adaptive-lanes.ts";

const PART = 64;

/** A store whose clock is a number: so many bytes a millisecond, by the lanes that it is given. */
class Store {
  readonly lanes: AdaptiveLanes;
  readonly #rate: (lanes: number) => number;
  #bytes = 0;
  #ms = 0;

  constructor(most: number, rate: (lanes: number) => number) {
    this.lanes = new AdaptiveLanes(most);
    this.#rate = rate;
  }

  /** Lands so many parts; returns the lanes after each. */
  land(parts: number): number[] {
    return Array.from({ length: parts }, () => {
      this.#bytes += PART;
      this.#ms += PART / this.#rate(this.lanes.lanes);
      this.lanes.landed(this.#bytes, this.#ms);
      return this.lanes.lanes;
    });
  }
}

describe("lanes of a store", () => {
  it("are few at first, and double while each lane adds its share", () => {
    const store = new Store(50, (lanes) => lanes);
    expect(store.lanes.lanes).toBe(8);
    // One part begins the measuring; eight more are a round.
    expect(store.land(8).at(-1)).toBe(8);
    expect(store.land(1)).toEqual([16]);
    expect(store.land(16).at(-1)).toBe(32);
    expect(store.land(32).at(-1)).toBe(50);
    expect(store.land(1000).at(-1)).toBe(50);
  });

  it("are all that may be where that is few", () => {
    expect(new AdaptiveLanes(3).lanes).toBe(3);
  });

  it("are one where one is all that may be", () => {
    const store = new Store(1, (lanes) => lanes);
    expect(new Set(store.land(20))).toEqual(new Set([1]));
    store.lanes.refused();
    expect(store.lanes.lanes).toBe(1);
  });

  it("halve when the store asks to slow down, once for all parts in flight", () => {
    const lanes = new AdaptiveLanes(16);
    lanes.refused();
    expect(lanes.lanes).toBe(4);
    for (let other = 1; other < 8; other += 1) lanes.refused();
    expect(lanes.lanes).toBe(4);
    lanes.refused();
    expect(lanes.lanes).toBe(2);
  });

  it("halve again when a part is refused that was begun after the fall", () => {
    const lanes = new AdaptiveLanes(4);
    lanes.refused();
    expect(lanes.lanes).toBe(2);
    // The three others that were in flight land.
    for (let part = 1; part <= 3; part += 1) lanes.landed(part, part);
    lanes.refused();
    expect(lanes.lanes).toBe(1);
  });

  it("never fall below one", () => {
    const lanes = new AdaptiveLanes(5);
    for (let part = 0; part < 100; part += 1) lanes.refused();
    expect(lanes.lanes).toBe(1);
  });

  it("come back one by one after a fall, as far as throughput grows with them", () => {
    const store = new Store(16, (lanes) => Math.min(lanes, 6));
    for (let part = 0; part < 8 + 1; part += 1) store.lanes.refused();
    expect(store.lanes.lanes).toBe(2);
    const seen = store.land(200);
    for (const [index, lanes] of seen.entries()) {
      expect(lanes - (seen[index - 1] ?? 2)).toBeLessThanOrEqual(1);
    }
    // The seventh is the one that shows that nothing is gained.
    expect(seen.at(-1)).toBe(7);
  });

  it("stay where more of them move no more bytes", () => {
    const store = new Store(64, () => 10);
    // The first round has nothing to be compared with.
    expect(store.land(500).at(-1)).toBe(16);
    const fallen = new Store(64, () => 10);
    fallen.lanes.refused();
    expect(fallen.land(500).at(-1)).toBe(5);
  });

  it("stay within their bounds whatever happens", () => {
    const event = fc.oneof(
      fc.constant("refused" as const),
      fc.record({ bytes: fc.nat({ max: 1000 }), ms: fc.nat({ max: 5 }) }),
    );
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 40 }), fc.array(event, { maxLength: 300 }), (most, events) => {
        const lanes = new AdaptiveLanes(most);
        let [bytes, ms] = [0, 0];
        for (const each of events) {
          if (each === "refused") lanes.refused();
          else {
            bytes += each.bytes;
            ms += each.ms;
            lanes.landed(bytes, ms);
          }
          expect(lanes.lanes).toBeGreaterThanOrEqual(1);
          expect(lanes.lanes).toBeLessThanOrEqual(most);
          expect(Number.isInteger(lanes.lanes)).toBe(true);
        }
      }),
    );
  });
});
