/**
 * A web server that swallows what is put to it, at next to no cost: the kernel discards the bytes of the bodies, and
 * they are never copied out. Prints its port; ends with its standard input. Any number of connections, one thread.
 * Run as a process of its own, since it waits in the kernel: node sink.ts
 */
import { constants } from "node:os";
import koffi from "koffi";

const libc = koffi.load(null);
const socket = libc.func("int socket(int domain, int type, int protocol)");
const bind = libc.func("int bind(int fd, uint8_t *address, uint32_t length)");
const listen = libc.func("int listen(int fd, int backlog)");
const getsockname = libc.func("int getsockname(int fd, _Out_ uint8_t *address, _Inout_ uint32_t *length)");
const accept = libc.func("int accept(int fd, uint8_t *address, uint32_t *length)");
const recv = libc.func("int64_t recv(int fd, _Out_ uint8_t *into, uint64_t length, int flags)");
const send = libc.func("int64_t send(int fd, uint8_t *from, uint64_t length, int flags)");
const close = libc.func("int close(int fd)");
const poll = libc.func("int poll(_Inout_ uint8_t *fds, uint64_t count, int timeout)");

// Linux: bits/socket.h, bits/poll.h, netinet/in.h.
const AF_INET = 2;
const SOCK_STREAM = 1;
const MSG_TRUNC = 0x20;
const MSG_NOSIGNAL = 0x4000;
const POLLIN = 1;
const POLLFD_BYTES = 8;
const ADDRESS_BYTES = 16;

const STDIN = 0;
const MOST = 1 << 30;
const CREATED = Buffer.from('HTTP/1.1 201 Created\r\ncontent-length: 0\r\netag: "swallowed"\r\n\r\n');

interface Connection {
  /** What has come of a head. */
  head: string;
  /** Bytes of a body still to come. */
  left: number;
}

const listener: number = socket(AF_INET, SOCK_STREAM, 0);
const address = Buffer.alloc(ADDRESS_BYTES);
address.writeUInt16LE(AF_INET, 0);
address.set([127, 0, 0, 1], 4);
if (bind(listener, address, ADDRESS_BYTES) !== 0 || listen(listener, 128) !== 0) {
  throw new Error(
    `no socket to listen on: errno ${koffi.errno()} (EADDRINUSE: ${constants.errno.EADDRINUSE})`,
  );
}
getsockname(listener, address, [ADDRESS_BYTES]);
process.stdout.write(`${address.readUInt16BE(2)}\n`);

const connections = new Map<number, Connection>();
const scratch = Buffer.alloc(64 * 1024);

/** Whether the connection goes on. */
function serve(fd: number, connection: Connection): boolean {
  if (connection.left > 0) {
    const got = Number(recv(fd, scratch, Math.min(connection.left, MOST), MSG_TRUNC));
    if (got <= 0) return false;
    connection.left -= got;
    if (connection.left === 0) send(fd, CREATED, CREATED.length, MSG_NOSIGNAL);
    return true;
  }
  const got = Number(recv(fd, scratch, scratch.length, 0));
  if (got <= 0) return false;
  connection.head += scratch.toString("latin1", 0, got);
  const end = connection.head.indexOf("\r\n\r\n");
  if (end === -1) return true;
  const length = Number(/content-length: *(\d+)/i.exec(connection.head)?.[1] ?? 0);
  connection.left = length - (connection.head.length - end - 4);
  connection.head = "";
  if (connection.left === 0) send(fd, CREATED, CREATED.length, MSG_NOSIGNAL);
  return true;
}

for (;;) {
  const fds = [STDIN, listener, ...connections.keys()];
  const table = Buffer.alloc(fds.length * POLLFD_BYTES);
  fds.forEach((fd, index) => {
    table.writeInt32LE(fd, index * POLLFD_BYTES);
    table.writeInt16LE(POLLIN, index * POLLFD_BYTES + 4);
  });
  poll(table, fds.length, -1);
  fds.forEach((fd, index) => {
    if (table.readInt16LE(index * POLLFD_BYTES + 6) === 0) return;
    if (fd === STDIN) process.exit(0);
    if (fd === listener) {
      connections.set(accept(listener, null, null), { head: "", left: 0 });
      return;
    }
    const connection = connections.get(fd);
    if (connection !== undefined && !serve(fd, connection)) {
      connections.delete(fd);
      close(fd);
    }
  });
}
