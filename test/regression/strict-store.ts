/**
 * A store that takes parts of 5 MiB to 5 GiB, the last one of any size, and says so only at the end, as S3 does. Parts
 * are files; the finished object is a sparse file. Zeros are never sent and cost nothing here either.
 */
import { once } from "node:events";
import { createWriteStream, rmSync } from "node:fs";
import { mkdir, mkdtemp, open, readFile, truncate } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { GiB, MiB } from "../../src/bytes/units.ts";
import type { Places } from "../../src/engine/places.ts";
import { Fault } from "../../src/fault/fault.ts";
import { openFile } from "../../src/source/file/file.ts";
import type { Destination, PartReceipt, Upload } from "../../src/store/store.ts";

export const MIN_PART = 5 * MiB;
export const MAX_PART = 5 * GiB;

export interface StrictStore extends AsyncDisposable {
  readonly places: Pick<Places, "destination">;
  /** The finished object. */
  readonly object: string;
  /** Bytes of each part of the finished object, in order. */
  readonly parts: number[];
  /** Bytes of the parts that were truly sent. */
  readonly sent: number[];
}

export async function strictStore(directory: string): Promise<StrictStore> {
  await mkdir(directory, { recursive: true });
  const root = await mkdtemp(join(directory, "strict-"));
  const object = join(root, "object");
  const partPath = (number: number | string): string => join(root, `part-${number}`);
  const sent: number[] = [];
  const parts: number[] = [];

  const server = createServer((request, response) => {
    const number = (request.url ?? "").slice(1);
    pipeline(request, createWriteStream(partPath(number))).then(
      () => {
        sent.push(Number(request.headers["content-length"]));
        response.writeHead(200, { etag: `"part-${number}"` }).end();
      },
      () => response.destroy(),
    );
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const name = "strict://object";

  const upload: Upload = {
    token: { id: 1 },
    besides: 0,
    target: async ({ number }) => ({
      kind: "http",
      method: "PUT",
      url: `${base}/${number}`,
      headers: {},
      expect: { etag: "opaque" },
      name,
    }),
    zeros: async ({ number, length }): Promise<PartReceipt> => ({
      number,
      length,
      etag: "zeros",
      checksums: {},
      zero: true,
    }),
    async *held() {},
    async complete(receipts) {
      parts.splice(0, parts.length, ...receipts.map(({ length }) => length));
      const small = receipts.slice(0, -1).find(({ length }) => length < MIN_PART);
      if (small !== undefined) {
        throw new Fault(
          "STORE_REFUSED",
          `${name}: part ${small.number} of ${small.length} bytes is too small`,
        );
      }
      const large = receipts.find(({ length }) => length > MAX_PART);
      if (large !== undefined) {
        throw new Fault(
          "STORE_REFUSED",
          `${name}: part ${large.number} of ${large.length} bytes is too large`,
        );
      }
      const size = await assemble(object, receipts, partPath);
      return { name, size, confirmed: {} };
    },
    abort: async () => {},
    refresh: async () => {},
  };

  const destination: Destination = {
    name,
    identity: root,
    limits: {
      minPart: MIN_PART,
      maxPart: MAX_PART,
      maxParts: 10_000,
      preferredPart: 16 * MiB,
      placement: "parts",
      zeros: "free",
      zeroPart: MIN_PART,
      checksums: [],
    },
    begin: async () => upload,
    resume: () => Promise.reject(new Fault("NOT_FOUND", `${name}: knows of no upload`)),
    landed: async () => undefined,
    discard: async () => {},
    removeOrphans: async () => {},
    remove: async () => "removed",
    source: async () => openFile(object),
    async [Symbol.asyncDispose]() {},
  };
  return {
    places: { destination: async () => destination },
    object,
    parts,
    sent,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
      rmSync(root, { recursive: true, force: true });
    },
  };
}

async function assemble(
  object: string,
  receipts: readonly PartReceipt[],
  partPath: (number: number) => string,
): Promise<number> {
  await using file = await open(object, "w");
  let offset = 0;
  for (const { number, length, zero } of receipts) {
    if (zero === undefined) {
      const bytes = await readFile(partPath(number));
      if (bytes.length !== length) throw new Error(`part ${number} has ${bytes.length} bytes, not ${length}`);
      await file.write(bytes, 0, bytes.length, offset);
    }
    offset += length;
  }
  await truncate(object, offset);
  return offset;
}
