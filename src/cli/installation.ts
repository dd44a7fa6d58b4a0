/** This package, as it is installed. */
import { readFileSync } from "node:fs";
import { join } from "node:path";

export interface Installation {
  /** Holds the package.json. */
  readonly directory: string;
  readonly version: string;
  /** The oldest Node that it runs on, such as `24.12`. */
  readonly node: string;
}

export function readInstallation(directory: string): Installation {
  const { version, engines } = JSON.parse(readFileSync(join(directory, "package.json"), "utf8")) as {
    readonly version: string;
    readonly engines: { readonly node: string };
  };
  return { directory, version, node: engines.node.replace(/^>=\s*/, "") };
}
