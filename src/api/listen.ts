/** Sockets: one cleartext port for HTTP/1.1 and HTTP/2 alike, one TLS port for both, and how they end. */
import { createServer } from "node:http";
import { createServer as createHttp2Server, type Http2Server, type ServerHttp2Session } from "node:http2";
import {
  type AddressInfo,
  createServer as createTcpServer,
  type Socket,
  type Server as TcpServer,
} from "node:net";
import { createSecureContext, createServer as createTlsServer, type SecureContextOptions } from "node:tls";
import { Fault } from "../fault/fault.ts";
import type { HttpRequest, HttpResponse } from "./call.ts";

export interface Address {
  readonly host: string;
  /** 0: any that is free. */
  readonly port: number;
}

/** What the TLS port shows of itself, and whom it believes. */
export interface TlsMaterial {
  /** PEM. */
  readonly key: string;
  readonly certificate: string;
  /** PEM of authorities whose client certificates are believed; absent: clients are asked for none. */
  readonly clientAuthorities?: string;
}

export interface TlsAddress extends Address, TlsMaterial {}

/** How long peers may take, and how many there may be. */
export interface SocketLimits {
  /** From the connection to the end of the head of a request. */
  readonly headersMs: number;
  /** For a whole request. */
  readonly requestMs: number;
  /** Between two requests of a connection. */
  readonly idleMs: number;
  readonly connections: number;
  /** Requests at once on one connection of HTTP/2. */
  readonly streams: number;
  /** For requests in flight when the port closes. */
  readonly graceMs: number;
}

/** Closed, it takes no new connection, closes idle ones, lets the others finish, and cuts them when the time is up. */
export interface Port extends AsyncDisposable {
  readonly address: AddressInfo;
}

export interface TlsPort extends Port {
  /**
   * From the next connection on. @throws Fault USAGE as `openTls` does; the port then goes on with what it has. Whether
   * clients are asked for a certificate stays as it was.
   */
  renew(material: TlsMaterial): void;
}

type Listener = (request: HttpRequest, response: HttpResponse) => void;

export function openCleartext(address: Address, limits: SocketLimits, listener: Listener): Promise<Port> {
  const http = speakers(limits, listener);
  return open(createTcpServer(TCP, http.hear), address, limits, http);
}

/** @throws Fault USAGE when key and certificate are none, or do not belong together. */
export async function openTls(
  address: TlsAddress,
  limits: SocketLimits,
  listener: Listener,
): Promise<TlsPort> {
  const secure = secureOptions(address);
  const http = speakers(limits, listener);
  const server = createTlsServer(
    {
      ...TCP,
      ...secure,
      ALPNProtocols: ["h2", "http/1.1"],
      handshakeTimeout: limits.headersMs,
      // A certificate that no authority of ours has signed counts as none.
      ...(address.clientAuthorities === undefined ? {} : { requestCert: true, rejectUnauthorized: false }),
    },
    http.hear,
  );
  const port = await open(server, address, limits, http);
  return { ...port, renew: (material) => server.setSecureContext(secureOptions(material)) };
}

/** @throws Fault USAGE when they cannot be used. */
function secureOptions({ key, certificate, clientAuthorities }: TlsMaterial): SecureContextOptions {
  const options: SecureContextOptions = {
    key,
    cert: certificate,
    minVersion: "TLSv1.2",
    ...(clientAuthorities === undefined ? {} : { ca: clientAuthorities }),
  };
  try {
    createSecureContext(options);
    return options;
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    throw new Fault("USAGE", `TLS: the key, the certificate or the authorities cannot be used: ${text}`, {
      cause: error,
    });
  }
}

/** Peers that have gone without a word are noticed. */
const TCP = { noDelay: true, keepAlive: true, keepAliveInitialDelay: 30_000 } as const;

/** What speaks HTTP on connections that others have accepted. */
function speakers(limits: SocketLimits, listener: Listener) {
  const { headersMs, requestMs, idleMs, streams } = limits;
  let closing = false;
  const one = createServer(
    {
      headersTimeout: headersMs,
      requestTimeout: requestMs,
      keepAliveTimeout: idleMs,
      connectionsCheckingInterval: Math.min(headersMs, 5_000),
      maxHeaderSize: MOST_HEADERS,
    },
    (request, response) => {
      // The connection is idle only after all who wait for this event have heard of it.
      response.once("close", () => closing && setImmediate(() => one.closeIdleConnections()));
      listener(request, response);
    },
  );
  // It does not listen itself; this starts the check of its deadlines, and closing it ends that.
  one.emit("listening");
  const settings = { maxConcurrentStreams: streams, enablePush: false, maxHeaderListSize: MOST_HEADERS };
  const two = createHttp2Server({ settings }, listener);
  const sessions = keepSessions(two, limits);
  const silent = new Set<Socket>();
  return {
    /** HTTP/2 begins with a preface on every connection (RFC 9113, section 3.4), HTTP/1.1 with anything else. */
    hear(socket: Socket): void {
      // A connection that breaks concerns nobody but its own requests, and they notice.
      socket.on("error", () => {});
      silent.add(socket);
      socket.once("close", () => silent.delete(socket));
      peek(socket, headersMs, (preface) => {
        silent.delete(socket);
        (preface ? two : one).emit("connection", socket);
      });
    },
    close() {
      closing = true;
      for (const socket of silent) socket.destroy();
      one.close();
      for (const session of sessions) session.close();
    },
  };
}

/** Bytes. */
const MOST_HEADERS = 16 * 1024;

async function open(
  server: TcpServer,
  { host, port }: Address,
  { connections, graceMs }: SocketLimits,
  http: { close(): void },
): Promise<Port> {
  server.maxConnections = connections;
  const sockets = new Set<Socket>();
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  await listening(server, host, port).catch((error: unknown) => {
    http.close();
    throw error;
  });
  return {
    address: server.address() as AddressInfo,
    async [Symbol.asyncDispose]() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      http.close();
      const cut = setTimeout(() => {
        for (const socket of sockets) socket.destroy();
      }, graceMs);
      await closed;
      clearTimeout(cut);
    },
  };
}

/** @throws Fault PERMISSION, ALREADY_EXISTS, … when the address cannot be had. */
function listening(server: TcpServer, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const failed = (error: NodeJS.ErrnoException) => {
      const taken = error.code === "EADDRINUSE";
      const what = `${host}:${port}`;
      reject(
        taken ? new Fault("ALREADY_EXISTS", `${what} is in use by another program`) : Fault.from(error, what),
      );
    };
    server.once("error", failed);
    server.listen(port, host, () => {
      server.off("error", failed);
      resolve();
    });
  });
}

const PREFACE = Buffer.from("PRI");

/** Tells whether the connection begins with the preface, and puts back what was read to know it. */
function peek(socket: Socket, ms: number, tell: (preface: boolean) => void): void {
  let seen = Buffer.alloc(0);
  const late = setTimeout(() => socket.destroy(), ms);
  const look = () => {
    const chunk: Buffer | null = socket.read();
    if (chunk === null) return;
    seen = Buffer.concat([seen, chunk]);
    const length = Math.min(seen.length, PREFACE.length);
    const like = seen.subarray(0, length).equals(PREFACE.subarray(0, length));
    if (like && length < PREFACE.length) return;
    clearTimeout(late);
    socket.off("readable", look);
    socket.unshift(seen);
    tell(like);
  };
  socket.on("readable", look);
  socket.once("close", () => clearTimeout(late));
}

/** The sessions of HTTP/2. One that has no request in flight ends after a while. */
function keepSessions(server: Http2Server, { idleMs }: SocketLimits): ReadonlySet<ServerHttp2Session> {
  const sessions = new Set<ServerHttp2Session>();
  server.on("session", (session: ServerHttp2Session) => {
    let streams = 0;
    sessions.add(session);
    session.once("close", () => sessions.delete(session));
    session.on("error", () => {});
    session.on("stream", (stream) => {
      streams += 1;
      stream.once("close", () => {
        streams -= 1;
      });
    });
    session.setTimeout(idleMs, () => {
      if (streams === 0) session.close();
    });
  });
  return sessions;
}
