/** One error class for the whole program, with a closed list of codes. */

/** What went wrong, for machines. The table says whether the same attempt may be repeated. */
export const FAULT_CODES = {
  // the request
  USAGE: { retry: false },
  NOT_FOUND: { retry: false },
  ALREADY_EXISTS: { retry: false },
  UNSUPPORTED_FORMAT: { retry: false },
  UNSUPPORTED_FEATURE: { retry: false },
  FORMAT_MISMATCH: { retry: false },
  REFERENCE_NOT_LISTED: { retry: false },
  LIMIT_EXCEEDED: { retry: false },
  PRECONDITION: { retry: false },
  CONFLICT: { retry: false },
  QUOTA_EXCEEDED: { retry: false },
  IDEMPOTENCY_MISMATCH: { retry: false },
  // the image
  IMAGE_CORRUPT: { retry: false },
  IMAGE_TRUNCATED: { retry: false },
  IMAGE_DIRTY: { retry: false },
  AMPLIFICATION: { retry: false },
  SOURCE_CHANGED: { retry: false },
  // the machine and the network
  IO: { retry: false },
  NO_SPACE: { retry: false },
  NETWORK: { retry: true },
  TIMEOUT: { retry: true },
  // the store
  CREDENTIALS: { retry: false },
  CREDENTIALS_EXPIRED: { retry: true },
  PERMISSION: { retry: false },
  THROTTLED: { retry: true },
  STORE_UNAVAILABLE: { retry: true },
  STORE_REFUSED: { retry: false },
  STORE_PROTOCOL: { retry: false },
  CHECKSUM_MISMATCH: { retry: true },
  VERIFY_FAILED: { retry: false },
  // ourselves
  CANCELED: { retry: false },
  INTERNAL: { retry: false },
} as const satisfies Record<string, { retry: boolean }>;

export type FaultCode = keyof typeof FAULT_CODES;

/** The data of a failure: plain values that survive a thread boundary and a log line. */
export type FaultDetails = Readonly<Record<string, string | number | boolean>>;

/** A fault as plain data, for crossing threads and for machines. */
export interface FaultWire {
  readonly code: FaultCode;
  readonly message: string;
  readonly details: FaultDetails;
  /** Earliest useful moment of a retry, in milliseconds from now, as the server asked. */
  readonly retryAfterMs?: number;
  readonly cause?: string;
}

export interface FaultOptions {
  readonly details?: FaultDetails;
  readonly cause?: unknown;
  readonly retryAfterMs?: number;
}

/** The one error of this program. The message is one line that names the file, the place and what to do. */
export class Fault extends Error {
  readonly code: FaultCode;
  readonly details: FaultDetails;
  readonly retryAfterMs: number | undefined;

  constructor(code: FaultCode, message: string, options: FaultOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "Fault";
    this.code = code;
    this.details = options.details ?? {};
    this.retryAfterMs = options.retryAfterMs;
  }

  get retryable(): boolean {
    return FAULT_CODES[this.code].retry;
  }

  toWire(): FaultWire {
    return {
      code: this.code,
      message: this.message,
      details: this.details,
      ...(this.retryAfterMs === undefined ? {} : { retryAfterMs: this.retryAfterMs }),
      ...(this.cause === undefined ? {} : { cause: String(this.cause) }),
    };
  }

  static fromWire(wire: FaultWire): Fault {
    return new Fault(wire.code, wire.message, {
      details: wire.details,
      ...(wire.retryAfterMs === undefined ? {} : { retryAfterMs: wire.retryAfterMs }),
      ...(wire.cause === undefined ? {} : { cause: wire.cause }),
    });
  }

  /**
   * Turns anything caught into a Fault: a Fault stays itself, an abort becomes CANCELED (or the Fault it was
   * aborted with), a system error becomes the code its errno stands for, all else is INTERNAL.
   */
  static from(reason: unknown, doing: string): Fault {
    if (reason instanceof Fault) return reason;
    if (reason instanceof Error) {
      if (reason.name === "AbortError" && reason.cause instanceof Fault) return reason.cause;
      if (reason.name === "AbortError") return new Fault("CANCELED", `${doing}: canceled`, { cause: reason });
      if (reason.name === "TimeoutError")
        return new Fault("TIMEOUT", `${doing}: timed out`, { cause: reason });
      const errno = (reason as NodeJS.ErrnoException).code;
      const code = errno === undefined ? undefined : ERRNO_CODES[errno];
      if (code !== undefined) {
        return new Fault(code, `${doing}: ${errnoText(reason)}`, {
          cause: reason,
          details: { errno: errno ?? "" },
        });
      }
    }
    const text = reason instanceof Error ? reason.message : String(reason);
    return new Fault("INTERNAL", `${doing}: ${text}`, { cause: reason });
  }
}

const ERRNO_CODES: Readonly<Record<string, FaultCode>> = {
  ENOENT: "NOT_FOUND",
  ENOTDIR: "NOT_FOUND",
  EEXIST: "ALREADY_EXISTS",
  EISDIR: "USAGE",
  EACCES: "PERMISSION",
  EPERM: "PERMISSION",
  EROFS: "PERMISSION",
  ENOSPC: "NO_SPACE",
  EDQUOT: "NO_SPACE",
  EFBIG: "NO_SPACE",
  EIO: "IO",
  EMFILE: "IO",
  ENFILE: "IO",
  ENOTFOUND: "NETWORK",
  EAI_AGAIN: "NETWORK",
  ECONNREFUSED: "NETWORK",
  ECONNRESET: "NETWORK",
  EPIPE: "NETWORK",
  EHOSTUNREACH: "NETWORK",
  ENETUNREACH: "NETWORK",
  ETIMEDOUT: "TIMEOUT",
  UND_ERR_SOCKET: "NETWORK",
  UND_ERR_CONNECT_TIMEOUT: "TIMEOUT",
  UND_ERR_HEADERS_TIMEOUT: "TIMEOUT",
  UND_ERR_BODY_TIMEOUT: "TIMEOUT",
  UND_ERR_RES_EXCEEDED_MAX_SIZE: "STORE_PROTOCOL",
};

function errnoText(error: Error): string {
  // Node writes "ENOENT: no such file or directory, open '/x'"; the place is named by the caller already.
  const match = /^[A-Z0-9_]+: ([^,]+)/.exec(error.message);
  return match?.[1] ?? error.message;
}
