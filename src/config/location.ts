/** Reads the places that users name: paths and URLs. */
import { fileURLToPath } from "node:url";
import { Fault } from "../fault/fault.ts";

export type Location =
  | { readonly kind: "stdin" }
  | { readonly kind: "null" }
  | { readonly kind: "file"; readonly path: string }
  | { readonly kind: "http"; readonly url: string }
  | { readonly kind: "s3"; readonly bucket: string; readonly key: string }
  | { readonly kind: "oss"; readonly bucket: string; readonly key: string }
  | { readonly kind: "swift"; readonly container: string; readonly object: string };

/** @throws Fault USAGE for a scheme that is not known, a URL without bucket or object, or a name behind `null:`. */
export function parseLocation(text: string): Location {
  if (text === "-") return { kind: "stdin" };
  if (text === "null:") return { kind: "null" };
  if (text.startsWith("null:")) {
    throw new Fault("USAGE", `${text}: nothing is kept there; write null: alone, or ./${text} for a file`);
  }
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(text)?.[1]?.toLowerCase();
  switch (scheme) {
    case undefined:
      if (text === "") throw new Fault("USAGE", "an empty path names no place");
      return { kind: "file", path: text };
    case "file":
      return { kind: "file", path: filePath(text) };
    case "http":
    case "https":
      if (!URL.canParse(text)) throw new Fault("USAGE", "the http URL cannot be read");
      return { kind: "http", url: text };
    case "s3":
    case "oss": {
      const [bucket, key] = split(text, "bucket/key");
      return { kind: scheme, bucket, key };
    }
    case "swift": {
      const [container, object] = split(text, "container/object");
      return { kind: "swift", container, object };
    }
    default:
      throw new Fault(
        "USAGE",
        `${scheme}:// is no place that diskferry knows; it knows paths, http(s), s3, oss, swift and null:`,
      );
  }
}

function filePath(text: string): string {
  try {
    return fileURLToPath(text);
  } catch {
    throw new Fault("USAGE", `${text}: is not a file URL of this host; write file:///path, or just the path`);
  }
}

function split(text: string, form: string): [string, string] {
  const match = /^[a-z0-9]+:\/\/([^/]+)\/(.+)$/i.exec(text);
  if (match?.[1] === undefined || match[2] === undefined) {
    throw new Fault("USAGE", `${text}: is not complete; write ${text.split(":")[0]}://${form}`);
  }
  return [match[1], match[2]];
}
