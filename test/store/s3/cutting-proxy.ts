/** A TCP proxy that loses replies: the server has done the work, and the client never hears of it. */
import { connect, createServer, type Socket } from "node:net";

export interface CuttingProxy extends AsyncDisposable {
  readonly endpoint: string;
  /** Replies lost so far. */
  readonly cuts: number;
}

/** Loses the replies to the first `times` requests whose first line matches. */
export async function startCuttingProxy(
  endpoint: string,
  request: RegExp,
  times: number,
): Promise<CuttingProxy> {
  const upstream = new URL(endpoint);
  const sockets = new Set<Socket>();
  let cuts = 0;
  const server = createServer((client) => {
    const behind = connect(Number(upstream.port), upstream.hostname);
    let cutting = false;
    for (const socket of [client, behind]) {
      sockets.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => {
        client.destroy();
        behind.destroy();
      });
    }
    client.on("data", (bytes) => {
      const line = bytes.toString("latin1").split("\r\n", 1)[0] ?? "";
      if (request.test(line) && cuts < times) cutting = true;
      behind.write(bytes);
    });
    behind.on("data", (bytes) => {
      if (!cutting) {
        client.write(bytes);
        return;
      }
      cuts += 1;
      client.destroy();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  return {
    endpoint: `http://127.0.0.1:${port}`,
    get cuts() {
      return cuts;
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
