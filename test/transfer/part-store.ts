/**
 * A store for tests: parts go to a web server in this process, which a test can make fail; the rest is a list in
 * memory. It is strict about what real stores are strict about.
 */
import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { expect } from "vitest";
import { GiB, MiB } from "../../src/bytes/units.ts";
import { Fault } from "../../src/fault/fault.ts";
import type { Destination, PartReceipt, StoreLimits, Upload, UploadIntent } from "../../src/store/store.ts";

/** May be found in no message. */
export const SECRET = "s3cr3t";

export interface Put {
  readonly number: number;
  /** How many requests for this part there were, this one included. */
  readonly times: number;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** The whole body; takes the part in. */
  take(): Promise<string>;
}

/** Answers a PUT in place of the store; `false`: let the store answer. */
export type Behaviour = (put: Put) => boolean | Promise<boolean>;

export interface PartStore extends AsyncDisposable {
  /** A fresh destination, as `Places` gives it. */
  destination(): Destination;
  behave: Behaviour;
  /** Parts of uploads that were begun and neither completed nor aborted. */
  readonly uploads: Map<string, Map<number, Buffer>>;
  /** Finished objects, by name. */
  readonly objects: Map<string, Buffer>;
  /** Uploads that were completed. */
  readonly completed: Set<string>;
  /** Numbers of the parts that were put in whole, in order. */
  readonly taken: number[];
  /** What was asked of the store, apart from puts: `begin`, `resume`, `complete`, `abort`, `refresh`. */
  readonly calls: string[];
}

const NAME = "fake://bucket/object";

export async function partStore(limits: Partial<StoreLimits> = {}): Promise<PartStore> {
  let token = 1;
  let uploads = 0;
  const times = new Map<number, number>();

  const server = createServer((request, response) => {
    request.on("error", () => {});
    response.on("error", () => {});
    const url = new URL(request.url ?? "", "http://x");
    const [, id = "", part = ""] = url.pathname.split("/");
    const number = Number(part);
    times.set(number, (times.get(number) ?? 0) + 1);
    const take = async (): Promise<string> => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      const bytes = Buffer.concat(chunks);
      expect(String(bytes.length)).toBe(request.headers["content-length"]);
      self.uploads.get(id)?.set(number, bytes);
      self.taken.push(number);
      return md5(bytes);
    };
    void (async () => {
      const put: Put = { number, times: times.get(number) ?? 1, request, response, take };
      if (await self.behave(put)) return;
      if (request.headers["x-token"] !== `${SECRET}-${token}`) {
        request.resume();
        response.writeHead(401).end();
        return;
      }
      const etag = await take();
      response.writeHead(201, { etag: `"${etag}"` }).end();
    })().catch(() => response.destroy());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  const all: StoreLimits = {
    minPart: 1,
    maxPart: 5 * GiB,
    maxParts: 10_000,
    preferredPart: MiB,
    placement: "parts",
    zeros: "free",
    zeroPart: MiB,
    checksums: ["md5", "crc64xz"],
    ...limits,
  };

  const uploadOf = (id: string, intent: UploadIntent): Upload => ({
    token: { id },
    besides: 0,
    async target({ number }) {
      return {
        kind: "http",
        method: "PUT",
        url: `${base}/${id}/${number}?signature=${SECRET}`,
        headers: { "x-token": `${SECRET}-${token}` },
        expect: { etag: "md5" },
        name: NAME,
      };
    },
    async zeros({ number, length }): Promise<PartReceipt> {
      const bytes = Buffer.alloc(length);
      self.uploads.get(id)?.set(number, bytes);
      return { number, length, etag: md5(bytes), checksums: {}, zero: true };
    },
    async *held() {
      for (const [number, bytes] of self.uploads.get(id) ?? []) {
        yield { number, length: bytes.length, etag: md5(bytes) };
      }
    },
    async complete(parts, checksums) {
      self.calls.push("complete");
      const held = self.uploads.get(id);
      if (intent.existing === "refuse") expect(self.objects.has(NAME)).toBe(false);
      parts.forEach((part, index) => {
        const bytes = held?.get(part.number) ?? Buffer.alloc(0);
        expect([part.length, part.etag]).toEqual([bytes.length, md5(bytes)]);
        expect(part.length).toBeLessThanOrEqual(all.maxPart);
        expect(part.number).toBeGreaterThan(parts[index - 1]?.number ?? 0);
        if (index < parts.length - 1 && part.length < all.minPart) {
          throw new Fault(
            "STORE_REFUSED",
            `${NAME}: EntityTooSmall: part ${part.number} has ${part.length} bytes`,
          );
        }
      });
      const whole = Buffer.concat(parts.map((part) => held?.get(part.number) ?? Buffer.alloc(0)));
      self.objects.set(NAME, whole);
      self.uploads.delete(id);
      self.completed.add(id);
      expect(checksums.crc64xz).toMatch(/^[0-9a-f]{16}$/);
      return { name: NAME, size: whole.length, confirmed: {} };
    },
    async abort() {
      self.calls.push("abort");
      self.uploads.delete(id);
    },
    async refresh() {
      self.calls.push("refresh");
      token += 1;
    },
  });

  const self: PartStore = {
    behave: () => false,
    uploads: new Map(),
    objects: new Map(),
    completed: new Set(),
    taken: [],
    calls: [],
    destination: () => ({
      name: NAME,
      identity: base,
      limits: all,
      async begin(intent) {
        self.calls.push("begin");
        if (intent.existing === "refuse" && self.objects.has(NAME)) {
          throw new Fault("ALREADY_EXISTS", `${NAME}: exists already`);
        }
        uploads += 1;
        self.uploads.set(String(uploads), new Map());
        return uploadOf(String(uploads), intent);
      },
      async resume({ id }, intent) {
        self.calls.push("resume");
        if (!self.uploads.has(String(id))) throw new Fault("NOT_FOUND", `${NAME}: no such upload`);
        return uploadOf(String(id), intent);
      },
      async landed({ id }) {
        self.calls.push("landed");
        const bytes = self.completed.has(String(id)) ? self.objects.get(NAME) : undefined;
        return bytes === undefined ? undefined : { name: NAME, size: bytes.length, confirmed: {} };
      },
      async discard({ id }) {
        self.uploads.delete(String(id));
        if (self.completed.delete(String(id))) self.objects.delete(NAME);
      },
      async remove() {
        self.objects.delete(NAME);
        return "removed";
      },
      async removeOrphans() {
        self.calls.push("removeOrphans");
        self.uploads.clear();
      },
      source: () => Promise.reject(new Fault("USAGE", "not here")),
      async [Symbol.asyncDispose]() {},
    }),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
  return self;
}

function md5(bytes: Buffer): string {
  return createHash("md5").update(bytes).digest("hex");
}
