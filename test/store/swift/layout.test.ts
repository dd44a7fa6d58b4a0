import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { KiB, MiB } from "../../../src/bytes/units.ts";
import { parseInfo, UNKNOWN_INFO } from "../../../src/store/swift/info.ts";
import { entryLength, type ManifestEntry, planManifest } from "../../../src/store/swift/manifest.ts";
import { planZeros } from "../../../src/store/swift/zeros.ts";

const runs = fc.array(
  fc.integer({ min: 1, max: 4000 }).map((n) => n * 64 * KiB),
  { maxLength: 40 },
);

describe("the plan for zeros", () => {
  const limits = { ranges: true, maxObjectBytes: 5 * 1024 * MiB, maxPieces: Number.POSITIVE_INFINITY };
  const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);

  it("covers each run exactly, with pieces that their objects hold", () => {
    fc.assert(
      fc.property(runs, fc.boolean(), fc.nat({ max: 2 ** 40 }), (lengths, ranges, data) => {
        const plan = planZeros(lengths, sum(lengths) + data, { ...limits, ranges });
        expect(plan.pieces.map((pieces) => sum(pieces.map((piece) => piece.length)))).toEqual(lengths);
        for (const piece of plan.pieces.flat()) {
          expect(plan.objects).toContain(piece.size);
          expect(piece.length).toBeGreaterThan(0);
          if (ranges) expect(piece.length).toBeLessThanOrEqual(piece.size);
          else expect(piece.length).toBe(piece.size);
        }
      }),
    );
  });

  it("sends at most 2 MiB or a thousandth of the image, and one object where ranges are heeded", () => {
    fc.assert(
      fc.property(runs, fc.nat({ max: 2 ** 40 }), (lengths, data) => {
        const total = sum(lengths) + data;
        const { objects } = planZeros(lengths, total, limits);
        expect(objects.length).toBeLessThanOrEqual(1);
        expect(sum(objects)).toBeLessThanOrEqual(Math.max(2 * MiB, total / 1024 + MiB));
      }),
    );
  });

  it("makes no more than a few pieces that are slow to read", () => {
    fc.assert(
      fc.property(runs, (lengths) => {
        const long = lengths.filter((length) => length >= MiB);
        const { pieces } = planZeros(long, sum(long), limits);
        expect(pieces.flat().filter((piece) => piece.length < MiB).length).toBeLessThanOrEqual(8);
      }),
    );
  });

  it("cuts the end of a run so that neither half is slow to read", () => {
    const { pieces, objects } = planZeros(new Array(20).fill(4 * MiB + 64 * KiB), 80 * MiB, limits);
    expect(objects).toEqual([2 * MiB]);
    expect(pieces[0]?.map((piece) => piece.length)).toEqual([2 * MiB, 1056 * KiB, 1056 * KiB]);
  });

  it("sends little more where ranges are ignored", () => {
    fc.assert(
      fc.property(runs, (lengths) => {
        const { objects } = planZeros(lengths, sum(lengths), { ...limits, ranges: false });
        expect(sum(objects)).toBeLessThanOrEqual(4 * MiB);
      }),
    );
  });
});

describe("the plan for zeros where manifests cannot be nested", () => {
  it("takes larger objects of zeros rather than more entries than there may be", () => {
    const { pieces, objects } = planZeros([1024 ** 4, 64 * KiB * 3], 1024 ** 4, {
      ranges: false,
      maxObjectBytes: 5 * 1024 * MiB,
      maxPieces: 1000,
    });
    expect(pieces.flat().length).toBeLessThanOrEqual(1000);
    expect(Math.max(...objects)).toBe(2048 * MiB);
  });
});

describe("the plan for manifests", () => {
  const entry = (n: number): ManifestEntry => ({ path: `/c/${n}`, etag: "e".repeat(32), size_bytes: n + 1 });

  it("keeps every manifest within the limits, and all entries in order", () => {
    fc.assert(
      fc.property(fc.nat({ max: 300 }), fc.integer({ min: 2, max: 20 }), (count, maxEntries) => {
        const entries = Array.from({ length: count }, (_, n) => entry(n));
        const limits = { maxEntries, maxManifestBytes: 1000, nesting: true };
        const plan = planManifest(entries, limits, (n) => `/s/m${n}`);
        const subs = new Map(plan.subs.map((sub) => [sub.path, sub.entries]));
        const flat = (list: readonly ManifestEntry[]): readonly ManifestEntry[] =>
          list.flatMap((one) => {
            const inner = subs.get(one.path);
            return inner === undefined ? [one] : flat(inner);
          });
        expect(flat(plan.top)).toEqual(entries);
        expect(plan.size).toBe(entries.reduce((all, one) => all + entryLength(one), 0));
        for (const list of [plan.top, ...subs.values()]) {
          expect(list.length).toBeLessThanOrEqual(maxEntries);
          expect(JSON.stringify(list).length).toBeLessThanOrEqual(1000);
        }
      }),
    );
  });

  it("names one sub-manifest as often as a group of entries returns", () => {
    const zeros = entry(1);
    const entries = [entry(5), ...new Array<ManifestEntry>(100).fill(zeros), entry(7)];
    const limits = { maxEntries: 4, maxManifestBytes: 1000, nesting: true };
    const plan = planManifest(entries, limits, (n) => `/s/m${n}`);
    const holding = plan.subs.filter((sub) => sub.entries.every((one) => one.path === zeros.path));
    expect(holding.map((sub) => sub.entries.length)).toEqual([4]);
    expect(new Set(plan.subs.map((sub) => sub.path)).size).toBe(plan.subs.length);
    expect(plan.size).toBe(6 + 100 * 2 + 8);
  });

  it("does not take entries for the same whose objects or ranges differ", () => {
    const part = (n: number, range?: string): ManifestEntry => ({
      path: `/c/${n}`,
      etag: "e".repeat(32),
      size_bytes: 9,
      ...(range === undefined ? {} : { range }),
    });
    const entries = [part(1), part(1), part(2), part(2), part(1, "0-3"), part(1, "0-3"), part(1), part(1)];
    const limits = { maxEntries: 2, maxManifestBytes: 1000, nesting: true };
    const plan = planManifest(entries, limits, (n) => `/s/m${n}`);
    expect(plan.subs.slice(0, 3).map((sub) => sub.entries)).toEqual([
      [part(1), part(1)],
      [part(2), part(2)],
      [part(1, "0-3"), part(1, "0-3")],
    ]);
    expect(plan.subs[3]?.entries.map((one) => one.path)).toEqual(["/s/m0", "/s/m1"]);
    expect(plan.subs[4]?.entries.map((one) => one.path)).toEqual(["/s/m2", "/s/m0"]);
  });

  it("puts each manifest before the one that names it", () => {
    const plan = planManifest(
      Array.from({ length: 100 }, (_, n) => entry(n)),
      UNKNOWN_INFO,
      (n) => `/s/m${n}`,
    );
    expect(plan.subs).toEqual([]);
    const deep = planManifest(
      Array.from({ length: 100 }, (_, n) => entry(n)),
      { maxEntries: 3, maxManifestBytes: 2 * MiB, nesting: true },
      (n) => `/s/m${n}`,
    );
    const seen = new Set<string>();
    for (const sub of deep.subs) {
      for (const { path } of sub.entries) if (path.startsWith("/s/")) expect(seen).toContain(path);
      seen.add(sub.path);
    }
    expect(deep.subs.length).toBe(34 + 12 + 4 + 2);
  });

  it("gives up where manifests may not be nested and one is too small", () => {
    const many = [entry(1), entry(2), entry(3)];
    expect(() =>
      planManifest(many, { maxEntries: 2, maxManifestBytes: 1000, nesting: false }, (n) => `/s/${n}`),
    ).toThrow(
      expect.objectContaining({ code: "LIMIT_EXCEEDED", message: expect.stringContaining("larger parts") }),
    );
  });

  it("gives up where one entry fills a manifest", () => {
    const many = [entry(1), entry(2)];
    expect(() =>
      planManifest(many, { maxEntries: 1, maxManifestBytes: 1000, nesting: true }, (n) => `/s/${n}`),
    ).toThrow(expect.objectContaining({ code: "LIMIT_EXCEEDED" }));
    expect(() =>
      planManifest(many, { maxEntries: 9, maxManifestBytes: 20, nesting: true }, (n) => `/s/${n}`),
    ).toThrow(expect.objectContaining({ code: "LIMIT_EXCEEDED" }));
  });
});

describe("what a server says of itself", () => {
  it("is taken for Swift only when it publishes what Swift publishes", () => {
    const slo = { max_manifest_segments: 1000, max_manifest_size: 8388608, min_segment_size: 1 };
    const swift = { max_file_size: 5368709122, max_object_name_length: 1024, version: "2.30.1" };
    expect(
      parseInfo(JSON.stringify({ swift, slo, bulk_delete: { max_deletes_per_request: 10000 } })),
    ).toEqual({
      maxObjectBytes: 5368709122,
      maxNameBytes: 1024,
      maxEntries: 1000,
      maxManifestBytes: 8388608,
      ranges: true,
      manifestEtags: true,
      nesting: true,
      maxBulkDeletes: 10000,
      staticLargeObjects: true,
    });
    const ceph = parseInfo(
      JSON.stringify({ swift: { version: "16.2.15" }, slo: { max_manifest_segments: 1000 } }),
    );
    expect(ceph).toMatchObject({
      ranges: false,
      nesting: false,
      maxBulkDeletes: 0,
      staticLargeObjects: true,
    });
    expect(parseInfo(JSON.stringify({ swift })).staticLargeObjects).toBe(false);
  });

  it.each(["", "[]", "null", "<html>", '{"swift":3,"slo":"x"}', '{"swift":{"max_file_size":-1}}'])(
    "is never trusted beyond its form: %s",
    (body) => {
      expect(parseInfo(body)).toMatchObject({
        maxObjectBytes: UNKNOWN_INFO.maxObjectBytes,
        maxEntries: 1000,
      });
    },
  );
});
