/** What requests may look like, before anything is asked of the catalogue. */
import { isUtf8 } from "node:buffer";
import { Fault } from "../fault/fault.ts";
import type { WriteOptions } from "../task/spec.ts";
import type { ServicePorts } from "./ports.ts";
import { refusal } from "./refusal.ts";

/** Bytes of an object's name: Swift and OSS take 1023 and more, S3 1024. */
const MOST_OBJECT_BYTES = 1000;
const MOST_NAME = 255;
const MOST_DESCRIPTION = 1024;
/** AD: ClientToken. */
const MOST_TOKEN = 64;

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused
const CONTROL = /[\u0000-\u001f\u007f]/;

/** Nothing that a directory would take for another place, and nothing that a log would break at. */
export function checkObjectName(name: string): void {
  if (isObjectName(name)) return;
  throw malformed("object", "the object's name cannot be: use 1 to 1000 bytes, and no empty, . or .. part");
}

export function isObjectName(name: string): boolean {
  const bytes = Buffer.from(name);
  return (
    bytes.length > 0 &&
    bytes.length <= MOST_OBJECT_BYTES &&
    !CONTROL.test(name) &&
    !name.includes("\\") &&
    isUtf8(bytes) &&
    name.isWellFormed() &&
    name.split("/").every((segment) => segment !== "" && segment !== "." && segment !== "..")
  );
}

export function checkName(field: string, name: string, most = MOST_NAME): void {
  if (name.trim() === "" || name.length > most || CONTROL.test(name) || !name.isWellFormed()) {
    throw malformed(field, `${field}: use 1 to ${most} characters`);
  }
}

/** RFC 9562. */
export function checkId(id: string): void {
  if (/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(id)) return;
  throw malformed("id", "id: a UUID");
}

export function checkDescription(text: string): void {
  if (text.length > MOST_DESCRIPTION || !text.isWellFormed()) {
    throw malformed("description", `description: use at most ${MOST_DESCRIPTION} characters`);
  }
}

export function checkToken(token: string): void {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: all of ASCII is allowed
  if (token === "" || token.length > MOST_TOKEN || !/^[\u0000-\u007f]+$/.test(token)) {
    throw refusal("token-malformed", `a client token has 1 to ${MOST_TOKEN} ASCII characters`);
  }
}

/** Of what is read, now or later. */
export function checkReadable(format: string, { readable }: Pick<ServicePorts, "readable">): void {
  if (!readable.has(format)) {
    throw malformed("format", `${JSON.stringify(format)} is no format that can be read`);
  }
}

export function checkWrite(write: WriteOptions, ports: Pick<ServicePorts, "formats" | "checkWrite">): void {
  if (!ports.formats.has(write.format)) {
    throw malformed("format", `${JSON.stringify(write.format)} is no format that can be written`);
  }
  try {
    ports.checkWrite(write);
  } catch (error) {
    throw malformed("write", Fault.from(error, write.format).message);
  }
}

export function checkBandwidth(bandwidth: number): void {
  if (!Number.isSafeInteger(bandwidth) || bandwidth < 0) {
    throw malformed("bandwidth", "bandwidth: a whole number of bytes per second, or 0 for no limit");
  }
}

/** A URL that is stored and shown: it holds no password. */
export function checkUrl(url: string): void {
  const parsed = URL.parse(url);
  if (parsed === null || !["http:", "https:"].includes(parsed.protocol)) {
    throw malformed("url", "a source URL is an http or https URL");
  }
  if (parsed.username !== "" || parsed.password !== "") {
    throw malformed("url", "a source URL holds no user and no password; register a destination instead");
  }
}

/** A path below a root: it leads nowhere else. */
export function checkPath(path: string): void {
  const segments = path.split("/");
  if (
    path === "" ||
    path.length > 4096 ||
    path.includes("\0") ||
    segments.some((segment) => segment === "" || segment === "." || segment === "..")
  ) {
    throw malformed("path", "a path lies below its root: no empty, . or .. part");
  }
}

export function malformed(field: string, message: string) {
  return refusal("malformed", message, { field });
}
