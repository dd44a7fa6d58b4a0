/** An HTTP proxy in front of a server that lets a test change or lose what passes. */
import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface Passing {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

/**
 * `pass`: as it is. `lose`: the server does it, but the reply never arrives. Otherwise the given reply, without asking
 * the server.
 */
export type Verdict = "pass" | "lose" | Answer;

export interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

export interface Meddler {
  readonly url: string;
  /** All that passed, in order. */
  readonly seen: readonly Passing[];
  stop(): Promise<void>;
}

export async function startMeddler(target: string, judge: (passing: Passing) => Verdict): Promise<Meddler> {
  const seen: Passing[] = [];
  const server = createServer((ask, reply) => {
    const passing = { method: ask.method ?? "", path: ask.url ?? "", headers: ask.headers };
    seen.push(passing);
    const verdict = judge(passing);
    if (typeof verdict === "object") {
      ask.resume();
      ask.once("end", () => reply.writeHead(verdict.status, verdict.headers).end(verdict.body ?? ""));
    } else forward(target, ask, reply, verdict);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function forward(
  target: string,
  ask: IncomingMessage,
  reply: ServerResponse,
  verdict: "pass" | "lose",
): void {
  const onward = request(target + ask.url, { method: ask.method, headers: ask.headers }, (answer) => {
    if (verdict === "lose") {
      answer.resume();
      answer.once("end", () => reply.destroy());
      return;
    }
    reply.writeHead(answer.statusCode ?? 502, answer.headers);
    answer.pipe(reply);
  });
  onward.once("error", () => reply.destroy());
  ask.pipe(onward);
}
