import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { admit, freeSlots, type InUse, type Waiting } from "../../src/record/admission.ts";

const SLOTS = { copy: 5, export: 2, import: 1 };
const slots = new Map(["east", "west", "north"].map((id) => [id, SLOTS] as const));
const free = (inUse: readonly InUse[] = []) => freeSlots(slots, inUse);
const ids = (tasks: readonly Waiting[]) => tasks.map(({ id }) => id);
const copies = (...pairs: readonly string[]): Waiting[] =>
  pairs.map((pair, index) => ({ id: `${index}`, kind: "copy", regions: [...new Set(pair.split(" "))] }));

describe("D3: of the copies that wait", () => {
  it("CP-16: five start in a region, and the sixth waits", () => {
    expect(ids(admit(copies("east", "east", "east", "east", "east", "east"), free(), 99))).toEqual([
      "0",
      "1",
      "2",
      "3",
      "4",
    ]);
  });

  it("one takes a slot in each of its two regions, and one slot within one region", () => {
    const out = Array.from({ length: 6 }, () => "east west");
    const within = Array.from({ length: 5 }, () => "north north");
    expect(ids(admit(copies(...out, ...within), free(), 99))).toEqual([
      ..."01234".split(""),
      ..."6789".split(""),
      "10",
    ]);
  });

  it("one that waits for a full region holds up no later one", () => {
    const inUse: InUse[] = [{ region: "west", kind: "copy", count: 5 }];
    expect(ids(admit(copies("east west", "west", "east north"), free(inUse), 99))).toEqual(["2"]);
  });

  it("no more start than are asked for", () => {
    expect(ids(admit(copies("east", "north", "west"), free(), 2))).toEqual(["0", "1"]);
  });

  it("none starts in a region that is not there, or that has too many since its slots were cut", () => {
    const inUse: InUse[] = [{ region: "west", kind: "copy", count: 9 }];
    expect(admit(copies("nowhere", "west"), free(inUse), 99)).toEqual([]);
  });

  it("exports and imports have slots of their own", () => {
    const task = (id: string, kind: Waiting["kind"]): Waiting => ({ id, kind, regions: ["east"] });
    const waiting = [
      task("e1", "export"),
      task("e2", "export"),
      task("e3", "export"),
      task("i1", "import"),
      task("i2", "import"),
      task("c1", "copy"),
    ];
    expect(ids(admit(waiting, free(), 99))).toEqual(["e1", "e2", "i1", "c1"]);
  });
});

const REGIONS = ["east", "west", "north"] as const;
const waiting = fc.array(
  fc.record({
    kind: fc.constantFrom("copy", "export", "import"),
    regions: fc.uniqueArray(fc.constantFrom(...REGIONS), { minLength: 1, maxLength: 2 }),
  }),
  { maxLength: 40 },
);

describe("whatever waits", () => {
  it("the first that could start does: none is passed over that had room when its turn came", () => {
    fc.assert(
      fc.property(waiting, (given) => {
        const tasks = given.map((task, index): Waiting => ({ id: `${index}`, ...task }));
        const admitted = new Set(ids(admit(tasks, free(), 99)));
        const used = new Map<string, number>();
        for (const { id, kind, regions } of tasks) {
          const room = regions.every((region) => (used.get(`${kind} ${region}`) ?? 0) < SLOTS[kind]);
          expect(admitted.has(id)).toBe(room);
          if (!room) continue;
          for (const region of regions) {
            used.set(`${kind} ${region}`, (used.get(`${kind} ${region}`) ?? 0) + 1);
          }
        }
      }),
    );
  });
});
