import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { MiB } from "../../src/bytes/units.ts";
import type { Fault } from "../../src/fault/fault.ts";
import { makeDisk, noise } from "../oracle/disk.ts";
import { makeWorld, type Wish } from "../support/world.ts";
import { type Behaviour, type PartStore, partStore, SECRET } from "./part-store.ts";

/** Waits between attempts take no time here; how long they would have been is told to `onRetry`. */
vi.mock("node:timers/promises", async (original) => {
  const real = await original<typeof import("node:timers/promises")>();
  return {
    ...real,
    setTimeout: (_ms: number, value: unknown, options: object) => real.setTimeout(0, value, options),
  };
});

const world = await makeWorld("store-faults");
const { path } = world;
const disk = noise(6 * MiB + 512, 4);
writeFileSync(path("disk.raw"), disk);

let store: PartStore;
let retries: { code: string; waitMs: number }[] = [];
beforeEach(async () => {
  store = await partStore();
  retries = [];
});
afterEach(async () => {
  await store[Symbol.asyncDispose]();
  const journals = journalsNow();
  if (journals.length > 0) await send({ unfinished: "discard" }).catch(() => {});
});

function journalsNow(): string[] {
  const directory = world.engine.stateDirectory;
  return existsSync(directory) ? readdirSync(directory).filter((name) => name.endsWith(".journal")) : [];
}

function send(wish: Wish = {}) {
  return world.transfer("disk.raw", "fake:", {
    segment: MiB,
    places: { destination: async () => store.destination() },
    events: { onRetry: ({ code }, waitMs) => retries.push({ code, waitMs }) },
    ...wish,
  });
}

async function faultOf(work: Promise<unknown>): Promise<Fault> {
  const fault = await work.then(
    () => undefined,
    (error: Fault) => error,
  );
  if (fault === undefined) throw new Error("no fault");
  expect(fault.message).toMatch(/^fake:\/\/bucket\/object: .+$/);
  expect(fault.message).not.toContain("\n");
  expect(JSON.stringify(fault.toWire())).not.toContain(SECRET);
  return fault;
}

/** Answers with a status; takes the body off the wire first, as a server does. */
function status(code: number, headers: Record<string, string> = {}, body = ""): Behaviour {
  return ({ request, response }) => {
    request.resume();
    request.on("end", () => response.writeHead(code, headers).end(body));
    return true;
  };
}

/** Fails so many requests, then lets the store answer. */
function first(count: number, behaviour: Behaviour): Behaviour {
  let left = count;
  return (put) => {
    left -= 1;
    return left >= 0 ? behaviour(put) : false;
  };
}

const cutBody: Behaviour = ({ request }) => {
  request.once("data", () => request.socket.destroy());
  return true;
};
const cutReply: Behaviour = async ({ response, take }) => {
  const etag = await take();
  response.writeHead(201, { etag: `"${etag}"`, "content-length": "100" });
  response.write("half", () => response.destroy());
  return true;
};
const closeAtOnce: Behaviour = ({ request }) => {
  request.socket.destroy();
  return true;
};
const wrongEtag: Behaviour = async ({ response, take }) => {
  await take();
  response.writeHead(201, { etag: `"${"0".repeat(32)}"` }).end();
  return true;
};
const noHttp: Behaviour = ({ request }) => {
  request.socket.end("this is no HTTP\r\n\r\n");
  return true;
};

function expectLanded(): void {
  expect(store.objects.get("fake://bucket/object")?.equals(disk)).toBe(true);
  expect(store.uploads.size).toBe(0);
  expect(journalsNow()).toEqual([]);
}

describe("a store that fails for a while", () => {
  it.each([
    ["with 500", status(500), "STORE_UNAVAILABLE"],
    ["with 503", status(503), "STORE_UNAVAILABLE"],
    ["with 429", status(429), "THROTTLED"],
    ["with S3's SlowDown", status(503, {}, "<Error><Code>SlowDown</Code></Error>"), "THROTTLED"],
    ["with a timeout of its own", status(400, {}, "<Error><Code>RequestTimeout</Code></Error>"), "TIMEOUT"],
    ["by a checksum that is not ours", wrongEtag, "CHECKSUM_MISMATCH"],
    ["with 422", status(422), "CHECKSUM_MISMATCH"],
    ["by cutting the connection in the middle of a body", cutBody, "NETWORK"],
    ["by cutting the connection in the middle of a reply", cutReply, "NETWORK"],
    ["by closing the connection at once", closeAtOnce, "NETWORK"],
    ["by speaking no HTTP", noHttp, "NETWORK"],
  ])("%s gets the part again, and the object is whole", async (_how, behaviour, code) => {
    store.behave = first(4, behaviour);
    await send();
    expectLanded();
    expect(retries.map((retry) => retry.code)).toEqual(Array(4).fill(code));
    expect(store.calls).toEqual(["begin", "complete"]);
  });

  it("and says when to come back is not asked before that", async () => {
    store.behave = first(1, status(503, { "retry-after": "7" }));
    await send({ concurrency: 1 });
    expectLanded();
    expect(retries).toEqual([{ code: "STORE_UNAVAILABLE", waitMs: 7000 }]);
  });

  it("because the credential ran out gets a new one", async () => {
    store.behave = first(1, status(401));
    await send({ concurrency: 1 });
    expectLanded();
    expect(store.calls).toEqual(["begin", "refresh", "complete"]);
    expect(retries.map(({ code }) => code)).toEqual(["CREDENTIALS_EXPIRED"]);
  });

  it("because the signature of a part ran out gets a new one", async () => {
    const body = "<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>";
    store.behave = first(1, status(403, {}, body));
    await send({ concurrency: 1 });
    expectLanded();
    expect(store.calls).toContain("refresh");
  });
});

describe("a store that goes on failing", () => {
  it.each([
    ["with 500", status(500), "STORE_UNAVAILABLE"],
    ["with 429", status(429), "THROTTLED"],
    ["with 401", status(401), "CREDENTIALS_EXPIRED"],
    ["by cutting connections", cutBody, "NETWORK"],
    ["by cutting replies", cutReply, "NETWORK"],
  ])(
    "%s is an outage: what has landed stays, and the same request goes on from there",
    async (_how, behaviour, code) => {
      // The third part and all after it fail.
      store.behave = (put) => (put.number > 2 ? behaviour(put) : false);
      const fault = await faultOf(send({ concurrency: 1 }));
      expect([fault.code, store.calls.includes("abort")]).toEqual([code, false]);
      expect([store.objects.size, store.uploads.size, journalsNow().length]).toEqual([0, 1, 1]);

      const before = store.taken.filter((number) => number <= 2);
      expect(before).toEqual([1, 2]);
      store.taken.length = 0;
      store.behave = () => false;
      const resumed: number[][] = [];
      await send({ events: { onResume: (landed, parts) => resumed.push([landed, parts]) } });
      expect(resumed).toEqual([[2, 6]]);
      expect(store.taken.filter((number) => number <= 2)).toEqual([]);
      expectLanded();
    },
  );

  it.each([
    ["403", status(403), "PERMISSION"],
    ["413", status(413), "NO_SPACE"],
    ["507", status(507), "NO_SPACE"],
    ["400", status(400), "STORE_REFUSED"],
    ["404", status(404), "NOT_FOUND"],
    ["a quota's end", status(403, {}, "<Error><Code>QuotaExceeded</Code></Error>"), "NO_SPACE"],
    ["a bad signature", status(403, {}, "<Error><Code>SignatureDoesNotMatch</Code></Error>"), "CREDENTIALS"],
  ])("with %s is asked once for a part, and everything is cleaned up", async (_how, behaviour, code) => {
    store.behave = (put) => (put.number === 4 ? behaviour(put) : false);
    const fault = await faultOf(send());
    expect([fault.code, retries]).toEqual([code, []]);
    expect(store.calls).toEqual(["begin", "abort"]);
    expect([store.objects.size, store.uploads.size, journalsNow()]).toEqual([0, 0, []]);
  });

  it("by a wrong checksum is not believed, and everything is cleaned up", async () => {
    store.behave = (put) => (put.number === 4 ? wrongEtag(put) : false);
    const fault = await faultOf(send());
    expect(fault.code).toBe("CHECKSUM_MISMATCH");
    expect(fault.message).toMatch(
      /received other bytes than were sent: its MD5 is 0{32}, ours is [0-9a-f]{32}$/,
    );
    expect(store.calls).toEqual(["begin", "abort"]);
    expect([store.objects.size, store.uploads.size, journalsNow()]).toEqual([0, 0, []]);
  });

  it("does not show what its error page says beyond one line", async () => {
    store.behave = status(400, {}, `<html><body>no\n\n  way${"!".repeat(5000)}</body></html>`);
    const fault = await faultOf(send({ concurrency: 1 }));
    expect(fault.message).toMatch(/^fake:\/\/bucket\/object: the server answered 400 \(no way!{1,160}\)$/);
  });

  it("with an endless error page is left", async () => {
    store.behave = ({ request, response }) => {
      request.resume();
      response.writeHead(400);
      const more = (): void => {
        if (!response.destroyed) response.write(Buffer.alloc(65536, 0x20), () => setImmediate(more));
      };
      more();
      return true;
    };
    expect((await faultOf(send({ concurrency: 1 }))).code).toBe("STORE_PROTOCOL");
  });
});

describe("an object as a store wants it", () => {
  const formats: [string, Wish][] = [
    ["raw", { format: "raw" }],
    ["qcow2", { format: "qcow2" }],
    ["qcow2 zstd, small clusters", { format: "qcow2", compression: "zstd", clusterSize: 4096 }],
    ["vhd", { format: "vhd" }],
    ["vhd-fixed", { format: "vhd-fixed" }],
    ["zvhd", { format: "zvhd" }],
    ["zvhd2", { format: "zvhd2" }],
  ];

  it.each(formats)(
    "has no part smaller than the smallest but the last, and its bytes are those of a file: %s",
    async (_name, wish) => {
      // Data and zeros so that some segments have little to store; at the end of the disk, too.
      const sparse = Buffer.concat([
        makeDisk(9 * MiB),
        Buffer.alloc(23 * MiB),
        noise(65536, 8),
        Buffer.alloc(7 * MiB),
        noise(700, 9),
      ]);
      writeFileSync(path("sparse.raw"), sparse);
      await store[Symbol.asyncDispose]();
      store = await partStore({ minPart: 5 * MiB, zeroPart: 5 * MiB });
      const wishes = {
        existing: "replace",
        places: { destination: async () => store.destination() },
      } as const;
      for (const segment of [MiB, 8 * MiB]) {
        const result = await world.transfer("sparse.raw", "fake:", { ...wishes, segment, ...wish });
        const object = store.objects.get("fake://bucket/object") ?? Buffer.alloc(0);
        expect(result.object.size).toBe(object.length);
        writeFileSync(path("object.image"), object);
        const format = wish.format === undefined ? {} : { source: { format: wish.format } };
        const back = await world.transfer("object.image", "null:", { ...format, format: "raw" });
        expect(back.guestDigest).toBe(result.guestDigest);
        const direct = await world.transfer("sparse.raw", "null:", { format: "raw" });
        expect(direct.guestDigest).toBe(result.guestDigest);
      }
    },
  );
});

it("leaves nothing of its own in the directory of the world", () => {
  expect(readdirSync(dirname(path("disk.raw"))).filter((name) => name.includes("diskferry-part"))).toEqual(
    [],
  );
  expect(readFileSync(path("disk.raw")).equals(disk)).toBe(true);
});
