/** Sockets: one cleartext port for HTTP/1.1 and HTTP/2 alike, one TLS port for both, and how they end. */
import { createServer, type RequestListener } from "node:http";
import {
  createServer as createHttp2Server,
  createSecureServer,
  type Http2SecureServer,
  type Http2Server,
  type ServerHttp2Session,
} from "node:http2";
import {
  type AddressInfo,
  createServer as createTcpServer,
  type Socket,
  type Server as TcpServer,
} from "node:net";
import { Fault } from "../fault/fault.ts";
import type { HttpRequest, HttpResponse } from "./call.ts";

export interface Address {
  readonly host: string;
  /** 0: any that is free. */
  readonly port: number;
}

export interface TlsAddress extends Address {
  /** PEM. */
  readonly key: string;
  readonly certificate: string;
  /** PEM of authorities whose client certificates are believed; absent: clients are asked for none. */
  readonly clientAuthorities?: string;
}

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

export interface Port {
  readonly address: AddressInfo;
  /** Takes no new connection, closes idle ones, lets the others finish, and cuts them when the time is up. */
  close(): Promise<void>;
}

type Listener = (request: HttpRequest, response: HttpResponse) => void;

/** Looks at the first bytes of a connection: HTTP/2 without TLS begins with a preface (RFC 9113, section 3.4). */
export async function openCleartext(
  address: Address,
  limits: SocketLimits,
  listener: Listener,
): Promise<Port> {
  const http1 = createServer(http1Options(limits), listener as RequestListener);
  const http2 = createHttp2Server(http2Options(limits), listener);
  const sessions = keepSessions(http2, limits);
  const tcp = createTcpServer({ noDelay: true, keepAlive: true, keepAliveInitialDelay: 30_000 });
  tcp.on("connection", (socket) => {
    peek(socket, limits.headersMs, (preface) => (preface ? http2 : http1).emit("connection", socket));
  });
  // It does not listen itself; this starts the check of its deadlines, and closing it ends that.
  http1.emit("listening");
  return open(tcp, address, limits, () => {
    http1.close();
    sessions.close();
  });
}

export async function openTls(address: TlsAddress, limits: SocketLimits, listener: Listener): Promise<Port> {
  const { key, certificate, clientAuthorities } = address;
  const server = createSecureServer(
    {
      ...http1Options(limits),
      ...http2Options(limits),
      allowHTTP1: true,
      key,
      cert: certificate,
      handshakeTimeout: limits.headersMs,
      minVersion: "TLSv1.2",
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: 30_000,
      // A certificate that no authority of ours has signed counts as none.
      ...(clientAuthorities === undefined
        ? {}
        : { requestCert: true, rejectUnauthorized: false, ca: clientAuthorities }),
    },
    listener,
  );
  server.on("tlsClientError", (_error, socket) => socket.destroy());
  const sessions = keepSessions(server, limits);
  return open(server, address, limits, () => sessions.close());
}

function http1Options({ headersMs, requestMs, idleMs }: SocketLimits) {
  return {
    headersTimeout: headersMs,
    requestTimeout: requestMs,
    keepAliveTimeout: idleMs,
    connectionsCheckingInterval: Math.min(headersMs, 5_000),
    maxHeaderSize: 16 * 1024,
  };
}

function http2Options({ streams }: SocketLimits) {
  return { settings: { maxConcurrentStreams: streams, enablePush: false, maxHeaderListSize: 16 * 1024 } };
}

async function open(
  server: TcpServer,
  { host, port }: Address,
  { connections, graceMs }: SocketLimits,
  closeIdle: () => void,
): Promise<Port> {
  server.maxConnections = connections;
  const sockets = new Set<Socket>();
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    // A connection that breaks concerns nobody but its own requests, and they notice.
    socket.on("error", () => {});
  });
  await listening(server, host, port);
  return {
    address: server.address() as AddressInfo,
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      closeIdle();
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

/** Sessions of HTTP/2 that have no request in flight end after a while, and all when the port closes. */
function keepSessions(server: Http2Server | Http2SecureServer, { idleMs }: SocketLimits) {
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
  return {
    close() {
      for (const session of sessions) session.close();
    },
  };
}
