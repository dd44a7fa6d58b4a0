/**
 * An HTTP proxy between the program and a store. It logs what passes, kills the program at a moment, and goes on with
 * what the program had fully sent, as a network does.
 */
import { once } from "node:events";
import { Agent, createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { finished } from "node:stream/promises";
import type { Moment, Tripwire } from "./tripwire.ts";

/** What a request is, as far as a transfer is concerned. */
export interface Kind {
  readonly kind: string;
  /** Names the part and its upload, where the request sends the body of one. */
  readonly part?: string;
}

export type Classify = (request: {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage["headers"];
}) => Kind;

/** A part's body that passed. */
export interface Sent {
  readonly run: number;
  readonly part: string;
  /** Bytes of the body that came. */
  bytes: number;
  /** The store's, if it replied. */
  status: number | undefined;
}

/** Parts that were sent although the store had acknowledged them, and bytes that were lost on their way and sent anew. */
export function repeats(sent: readonly Sent[]): {
  readonly parts: readonly { readonly earlier: Sent; readonly now: Sent }[];
  readonly again: number;
} {
  const held = new Map<string, Sent>();
  const parts: { readonly earlier: Sent; readonly now: Sent }[] = [];
  let again = 0;
  for (const now of sent) {
    const earlier = held.get(now.part);
    if (earlier !== undefined && now.bytes > 0) parts.push({ earlier, now });
    else if (now.status === undefined) again += now.bytes;
    if (now.status !== undefined && now.status < 300) held.set(now.part, now);
  }
  return { parts, again };
}

export interface Proxy extends Tripwire, AsyncDisposable {
  readonly url: string;
  /** In the order in which the requests came, since the start. */
  readonly sent: readonly Sent[];
  /** The next request of this kind waits in front of the store. */
  hold(kind: string): Held;
}

export interface Held {
  /** Resolves when the request has come. */
  readonly reached: Promise<void>;
  /** Lets it pass. */
  release(): void;
}

export async function startProxy(upstream: string, classify: Classify): Promise<Proxy> {
  const { hostname, port } = new URL(upstream);
  const agent = new Agent({ keepAlive: true });
  const sent: Sent[] = [];
  const open = new Set<Promise<unknown>>();
  let run = 0;
  let moment: Moment | undefined;
  let kill: () => void = () => {};
  let counts: Record<string, number> = {};
  let gate:
    | { readonly kind: string; readonly reach: () => void; readonly released: Promise<void> }
    | undefined;

  async function pass(asked: IncomingMessage, answer: ServerResponse): Promise<void> {
    const { method = "", url = "", headers } = asked;
    const mine = run;
    const { kind, part } = classify({ method, url, headers });
    const nth = (counts[kind] ?? 0) + 1;
    counts[kind] = nth;
    const is = (phase: Moment["phase"]): boolean =>
      mine === run && moment?.kind === kind && moment.nth === nth && moment.phase === phase;
    const dies = (): void => {
      kill();
      asked.socket.destroy();
    };
    if (is("asked")) return dies();
    if (gate?.kind === kind) {
      const { reach, released } = gate;
      gate = undefined;
      reach();
      await released;
      if (asked.destroyed) return;
    }

    const passed: Sent = { run: mine, part: part ?? "", bytes: 0, status: undefined };
    if (part !== undefined) sent.push(passed);
    const half = Number(headers["content-length"] ?? 0) / 2;
    const behind = request({ hostname, port, method, path: url, headers: rawHeaders(asked), agent });
    const replied = once(behind, "response") as Promise<[IncomingMessage]>;
    replied.catch(() => {});
    try {
      for await (const bytes of asked as AsyncIterable<Buffer>) {
        passed.bytes += bytes.length;
        if (is("within") && passed.bytes >= half) {
          behind.destroy();
          return dies();
        }
        if (!behind.write(bytes)) await Promise.race([once(behind, "drain"), replied]);
      }
    } catch {
      // The program went away in the middle of its body: the store sees the same.
      behind.destroy();
      return;
    }
    behind.end();
    const [reply] = await replied;
    passed.status = reply.statusCode;
    const body: Buffer[] = [];
    for await (const bytes of reply as AsyncIterable<Buffer>) body.push(bytes);
    if (is("done")) return dies();
    answer.writeHead(reply.statusCode ?? 502, reply.rawHeaders.filter(notFraming(reply.rawHeaders)));
    answer.end(Buffer.concat(body));
    await finished(answer).catch(() => {});
    if (is("told")) kill();
  }

  const server = createServer({ keepAliveTimeout: 60_000 }, (asked, answer) => {
    const passing = pass(asked, answer)
      .catch(() => asked.socket.destroy())
      .finally(() => open.delete(passing));
    open.add(passing);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    sent,
    get counts() {
      return counts;
    },
    arm(next, fire) {
      run += 1;
      counts = {};
      moment = next;
      kill = () => {
        moment = undefined;
        fire();
      };
    },
    hold(kind) {
      const { promise: reached, resolve: reach } = Promise.withResolvers<void>();
      const { promise: released, resolve: release } = Promise.withResolvers<void>();
      gate = { kind, reach, released };
      return { reached, release };
    },
    async quiet() {
      while (open.size > 0) await Promise.all(open);
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      agent.destroy();
    },
  };
}

/** As they came: signatures cover some of them, the host above all. */
function rawHeaders({ rawHeaders: raw }: IncomingMessage): Record<string, string | string[]> {
  const headers: Record<string, string | string[]> = {};
  for (let at = 0; at < raw.length; at += 2) {
    const name = raw[at] ?? "";
    if (/^(connection|expect|keep-alive)$/i.test(name)) continue;
    headers[name] = raw[at + 1] ?? "";
  }
  return headers;
}

/** The reply is passed on in one piece, with a length of its own unless it answers a HEAD. */
function notFraming(raw: readonly string[]): (item: string, index: number) => boolean {
  return (_, index) => !/^(connection|keep-alive|transfer-encoding)$/i.test(raw[index - (index % 2)] ?? "");
}
