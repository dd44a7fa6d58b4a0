/** A web server for one object, that a test can make misbehave. */
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface RangeServer extends AsyncDisposable {
  readonly url: string;
  readonly requests: IncomingMessage[];
  content: Buffer;
  etag: string | undefined;
  lastModified: string | undefined;
  /** Asked first; `true`: it has answered. */
  instead: ((request: IncomingMessage, response: ServerResponse, times: number) => boolean) | undefined;
}

export async function rangeServer(content: Buffer): Promise<RangeServer> {
  const server = createServer((request, response) => {
    self.requests.push(request);
    if (self.instead?.(request, response, self.requests.length) === true) return;
    answer(self, request, response);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const self: RangeServer = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/disk.raw`,
    requests: [],
    content,
    etag: '"v1"',
    lastModified: "Thu, 01 Jan 2026 00:00:00 GMT",
    instead: undefined,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
  return self;
}

function answer(self: RangeServer, request: IncomingMessage, response: ServerResponse): void {
  const { content, etag, lastModified } = self;
  if (etag !== undefined) response.setHeader("etag", etag);
  if (lastModified !== undefined) response.setHeader("last-modified", lastModified);
  const wanted = request.headers["if-match"];
  if (wanted !== undefined && wanted !== etag) {
    response.writeHead(412).end();
    return;
  }
  const range = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "");
  const [first, last] = [Number(range?.[1]), Math.min(Number(range?.[2]), content.length - 1)];
  if (first > last) {
    response.writeHead(416, { "content-range": `bytes */${content.length}` }).end();
    return;
  }
  const part = content.subarray(first, last + 1);
  response
    .writeHead(206, {
      "content-range": `bytes ${first}-${last}/${content.length}`,
      "content-length": part.length,
    })
    .end(part);
}
