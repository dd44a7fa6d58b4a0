/** Names in Swift, and how they are written in URLs and manifests. */
import { Fault } from "../../fault/fault.ts";

export interface SwiftLocation {
  readonly container: string;
  readonly object: string;
}

/** For people. */
export function swiftName(location: SwiftLocation): string {
  return `swift://${location.container}/${location.object}`;
}

/** The part of a URL after the storage URL. */
export function swiftPath(container: string, object?: string): string {
  const path = `/${encodeURIComponent(container)}`;
  return object === undefined ? path : `${path}/${object.split("/").map(encodeURIComponent).join("/")}`;
}

/**
 * Refuses names that Swift refuses, or that a URL cannot carry.
 * `maxObjectBytes`: of the object's name in UTF-8.
 * @throws Fault USAGE
 */
export function checkLocation(location: SwiftLocation, maxObjectBytes: number): void {
  const { container, object } = location;
  const wrong = (why: string) => new Fault("USAGE", `${swiftName(location)}: ${why}`);
  if (container === "" || object === "")
    throw wrong("a container and an object must both be named: CONTAINER/OBJECT");
  if (container.includes("/") || Buffer.byteLength(container) > 256) {
    throw wrong("a container's name has no slash and at most 256 bytes");
  }
  if (Buffer.byteLength(object) > maxObjectBytes) {
    throw wrong(`the object's name is longer than ${maxObjectBytes} bytes`);
  }
  if (!container.isWellFormed() || !object.isWellFormed() || `${container}${object}`.includes("\0")) {
    throw wrong("the name is not valid Unicode text");
  }
  // URL parsers take `.` and `..` away, however they are written: the request would go to another object.
  if ([container, ...object.split("/")].some((word) => word === "." || word === "..")) {
    throw wrong('no part of the name may be "." or ".."');
  }
}
