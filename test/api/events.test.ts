import { once } from "node:events";
import { Agent, get, type IncomingMessage } from "node:http";
import { connect as connectHttp2 } from "node:http2";
import { connect } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { RecordedEvent } from "../../src/record/event.ts";
import { ALL, accepted, applied, exportTask, TO_THE_END } from "../record/record-file.ts";
import { clients, type Endpoint, endpoint, TOKENS, taskIn } from "./endpoint.ts";

let here: Endpoint;
beforeEach(async () => {
  here = await endpoint();
});
afterEach(() => here[Symbol.asyncDispose]());

const AUTHORIZED = { authorization: `Bearer ${TOKENS.ann}` };

interface Told {
  readonly id: number;
  readonly event: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/** The blocks of a stream, as they come. */
async function* blocks(body: AsyncIterable<unknown>): AsyncGenerator<string> {
  let rest = "";
  const decoder = new TextDecoder();
  for await (const chunk of body) {
    rest += decoder.decode(chunk as Uint8Array, { stream: true });
    const whole = rest.split("\n\n");
    rest = whole.pop() ?? "";
    yield* whole;
  }
}

function bodyOf({ body }: Response) {
  if (body === null) throw new Error("there is no body");
  return body;
}

function told(block: string): Told | undefined {
  const fields = Object.fromEntries(block.split("\n").map((line) => line.split(/: (.*)/, 2)));
  return "data" in fields
    ? { id: Number(fields["id"]), event: fields["event"], data: JSON.parse(fields["data"]) }
    : undefined;
}

async function* events(query = "", headers: Record<string, string> = {}): AsyncGenerator<Told> {
  const reply = await fetch(`${here.url}/v1/events${query}`, { headers: { ...AUTHORIZED, ...headers } });
  if (reply.status !== 200 || reply.body === null) throw new Error(`${reply.status} ${await reply.text()}`);
  for await (const block of blocks(reply.body)) {
    const one = told(block);
    if (one !== undefined) yield one;
  }
}

async function until(stream: AsyncGenerator<Told>, last: (one: Told) => boolean): Promise<readonly Told[]> {
  const seen: Told[] = [];
  for await (const one of stream) {
    seen.push(one);
    if (last(one)) break;
  }
  return seen;
}

const run = async (id: string) => {
  await here.world.file.record.claim(ALL);
  await applied(here.world.file.record, id, ...TO_THE_END);
};

describe("/v1/events", () => {
  it("replays from ?after, and goes on live, without a gap", async () => {
    await taskIn(here, "t-1");
    let ran: Promise<void> | undefined;
    const seen = await until(events("?after=0"), ({ event }) => {
      ran ??= run("t-1");
      return event === "succeeded";
    });
    await ran;
    expect(seen.map(({ id }) => id)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expect(seen.at(0)).toMatchObject({
      event: "accepted",
      data: { sequence: "1", taskId: "t-1", kind: "TASK_EVENT_KIND_ACCEPTED", progress: 0 },
    });
  });

  it("goes on after Last-Event-ID, which knows better than the address", async () => {
    await taskIn(here, "t-1");
    await run("t-1");
    const seen = await until(
      events("?after=0", { "last-event-id": "6" }),
      ({ event }) => event === "succeeded",
    );
    expect(seen.map(({ id }) => id)).toEqual([7, 8]);
  });

  it("begins with now when nothing is said", async () => {
    await taskIn(here, "t-1");
    const stream = events();
    const first = stream.next();
    // The watch has begun when its answer has.
    await expect
      .poll(async () => {
        await taskIn(here, `t-${Math.random()}`);
        return Promise.race([first.then(() => "told"), new Promise((done) => setImmediate(done, "silent"))]);
      })
      .toBe("told");
    const { value } = await first;
    expect((value as Told).id).toBeGreaterThan(1);
    await stream.return(undefined);
  });

  it("tells of one task or one kind, when asked", async () => {
    await taskIn(here, "t-1");
    await taskIn(here, "t-2", { kind: "cancel-accepted" });
    const seen = await until(
      events("?after=0&task=t-2&kind=export"),
      ({ event }) => event === "cancel-accepted",
    );
    expect(seen.map(({ data }) => data["taskId"])).toEqual(["t-2", "t-2"]);
  });

  it("tells nothing of other projects, but to admins", async () => {
    await accepted(here.world.file.record, exportTask({ id: "other", project: "p2" }));
    await taskIn(here, "t-1");
    expect((await until(events("?after=0&project=p2"), () => true))[0]?.data).toMatchObject({
      taskId: "t-1",
    });
    const admin = { authorization: `Bearer ${TOKENS.root}` };
    expect((await until(events("?after=0", admin), () => true))[0]?.data).toMatchObject({ taskId: "other" });
    expect((await until(events("?after=0&project=p1", admin), () => true))[0]?.data).toMatchObject({
      taskId: "t-1",
    });
  });

  it("is watched over HTTP/2, too", async () => {
    await taskIn(here, "t-1");
    const session = connectHttp2(here.url);
    const stream = session.request({ ":path": "/v1/events?after=0", ...AUTHORIZED });
    for await (const block of blocks(stream)) if (told(block)?.id === 1) break;
    session.destroy();
  });

  it.each([
    ["?after=x", 400, "invalid_argument"],
    ["?after=-1", 400, "invalid_argument"],
    ["?after=1e3", 400, "invalid_argument"],
    ["?after=99999999999999999999", 400, "invalid_argument"],
    ["?kind=steal", 400, "invalid_argument"],
    ["?colour=red", 400, "invalid_argument"],
    ["?task=t-9", 404, "not_found"],
  ])("refuses %s", async (query, status, code) => {
    const reply = await fetch(`${here.url}/v1/events${query}`, { headers: AUTHORIZED });
    expect([reply.status, await reply.json()]).toMatchObject([status, { code }]);
  });

  it("is for callers only", async () => {
    const reply = await fetch(`${here.url}/v1/events`);
    expect([reply.status, reply.headers.get("www-authenticate")]).toEqual([401, 'Bearer realm="diskferry"']);
  });

  it("says how to come back, and forbids to be kept", async () => {
    const reply = await fetch(`${here.url}/v1/events`, { headers: AUTHORIZED });
    expect(reply.headers.get("content-type")).toBe("text/event-stream");
    expect(reply.headers.get("cache-control")).toBe("no-store");
    for await (const block of blocks(bodyOf(reply))) {
      expect(block).toBe("retry: 2000");
      break;
    }
  });
});

describe("a watcher", () => {
  it("gets signs of life while nothing happens", async () => {
    await using quiet = await endpoint({ limits: { heartbeatMs: 10 } });
    const reply = await fetch(`${quiet.url}/v1/events`, { headers: AUTHORIZED });
    let signs = 0;
    for await (const block of blocks(bodyOf(reply))) {
      if (block === ":") signs += 1;
      if (signs === 3) break;
    }
  });

  it("is one of 200 that all see everything, once and in order", async () => {
    await taskIn(here, "t-1");
    const agent = new Agent({ maxSockets: 200 });
    const watch = async () => {
      const [reply] = (await once(
        get(`${here.url}/v1/events?after=0`, { agent, headers: AUTHORIZED }),
        "response",
      )) as [IncomingMessage];
      const ids: number[] = [];
      const begun = Promise.withResolvers<void>();
      const ended = (async () => {
        for await (const block of blocks(reply)) {
          const one = told(block);
          if (one === undefined) continue;
          ids.push(one.id);
          begun.resolve();
          if (one.event === "succeeded") break;
        }
        return ids;
      })();
      return { begun: begun.promise, ended };
    };
    const watchers = await Promise.all(Array.from({ length: 200 }, watch));
    await Promise.all(watchers.map(({ begun }) => begun));
    await run("t-1");
    for (const { ended } of watchers) expect(await ended).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    agent.destroy();
  });

  it("beyond the last that may is told to come later, until one has left", async () => {
    await using small = await endpoint({ limits: { watchers: 1 } });
    const leave = new AbortController();
    const ask = (signal?: AbortSignal) =>
      fetch(`${small.url}/v1/events`, { headers: AUTHORIZED, ...(signal === undefined ? {} : { signal }) });
    await ask(leave.signal);
    const refused = await ask();
    expect([refused.status, refused.headers.get("retry-after")]).toEqual([429, "2"]);
    expect(await refused.json()).toMatchObject({ code: "resource_exhausted" });
    leave.abort();
    await expect
      .poll(async () => {
        const reply = await ask();
        await reply.body?.cancel();
        return reply.status;
      })
      .toBe(200);
  });

  describe("that does not read", () => {
    const SSE = "GET /v1/events";
    const CONNECT = "POST /diskferry.v1.TaskService/WatchTasks";

    it.each([SSE, CONNECT])("is held back, and dropped: %s", async (asked) => {
      let made = 0;
      /** Events without end, as fast as they are taken. */
      async function* endless(): AsyncGenerator<RecordedEvent> {
        const [event] = await here.world.file.record.events({ after: 0, limit: 1 });
        if (event === undefined) throw new Error("there is no event");
        for (;;) {
          made += 1;
          yield event;
        }
      }
      await taskIn(here, "t-1");
      await using server = await endpoint({
        service: { ...here.world.service, watch: endless },
        limits: { writeMs: 300 },
      });
      const socket = connect(server.server.cleartext?.port ?? 0, "127.0.0.1");
      socket.on("error", () => {});
      const body = Buffer.from([0, 0, 0, 0, 2, 0x7b, 0x7d]);
      const head = [`${asked} HTTP/1.1`, "host: h", `authorization: Bearer ${TOKENS.ann}`];
      const rest =
        asked === SSE ? [] : ["content-type: application/connect+json", `content-length: ${body.length}`];
      socket.write(`${[...head, ...rest].join("\r\n")}\r\n\r\n`);
      if (asked === CONNECT) socket.write(body);
      // The server's own account of the call: it has ended.
      await expect.poll(() => server.log.length, { timeout: 20_000 }).toBe(1);
      const then = made;
      // What the kernel takes, and little more: some megabytes of events of half a kilobyte.
      expect(then).toBeLessThan(100_000);
      expect(made).toBe(then);
      expect(server.log).toMatchObject([{ event: "call", fields: { outcome: "deadline_exceeded" } }]);
      socket.destroy();
    });
  });
});

describe("when the server closes", () => {
  it("a watcher of events is told, and the end comes soon", async () => {
    const reply = await fetch(`${here.url}/v1/events`, { headers: AUTHORIZED });
    const closing = here.server[Symbol.asyncDispose]();
    const told: string[] = [];
    for await (const block of blocks(bodyOf(reply))) told.push(block);
    expect(told.at(-1)).toContain('event: error\ndata: {"code":"unavailable"');
    await closing;
  });

  it("a watch of Connect is told that it is not complete", async () => {
    await taskIn(here, "t-1");
    const watching = (async () => {
      for await (const _ of clients(here.url).tasks.watchTasks({ after: 0n })) {
        void here.server[Symbol.asyncDispose]();
      }
    })();
    await expect(watching).rejects.toThrow("[unavailable] the daemon is shutting down");
  });

  it("a call in flight is answered first", async () => {
    const asked = Promise.withResolvers<void>();
    const answered = Promise.withResolvers<void>();
    const { service } = here.world;
    await taskIn(here, "t-1");
    const slow = await endpoint({
      service: {
        ...service,
        async getTask(caller, id) {
          asked.resolve();
          await answered.promise;
          return service.getTask(caller, id);
        },
      },
    });
    const reply = clients(slow.url).tasks.getTask({ id: "t-1" });
    await asked.promise;
    const closing = slow[Symbol.asyncDispose]();
    await expect(fetch(`${slow.url}/healthz`)).rejects.toThrow();
    answered.resolve();
    expect((await reply).task?.id).toBe("t-1");
    await closing;
  });

  it("whoever does not come to an end is cut off", async () => {
    const { service } = here.world;
    const stuck = await endpoint({
      service: { ...service, getTask: () => new Promise(() => {}) },
      limits: { graceMs: 100 },
    });
    const reply = clients(stuck.url).tasks.getTask({ id: "t-1" });
    reply.catch(() => {});
    await expect.poll(() => stuck.server.cleartext !== undefined).toBe(true);
    await stuck[Symbol.asyncDispose]();
    await expect(reply).rejects.toThrow();
  });
});
