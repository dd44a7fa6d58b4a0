/** Holds the map of folders: imports go down only, and siblings do not know each other. */
import { globSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, posix } from "node:path";
import { describe, expect, it } from "vitest";

const SRC = join(import.meta.dirname, "../src");

/** From the ground up. What stands in one row, or in a row below, may be imported; what stands above may not. */
const ROWS: readonly (readonly string[])[] = [
  ["fault"],
  ["bytes", "flow", "net", "native", "cipher"],
  ["source", "codec", "digest"],
  ["format"],
  ["plan", "store"],
  ["transfer"],
  ["worker", "engine", "keyring"],
  ["task"],
  ["catalog"],
  ["record"],
  ["service", "schedule"],
  ["config", "telemetry"],
  ["api"],
  ["daemon"],
  ["cli"],
  ["compose.ts", "compose-daemon.ts"],
  ["main.ts"],
];

/** Folders of one row that must not know each other. */
const STRANGERS: readonly (readonly [string, string])[] = [
  ["plan", "store"],
  ["worker", "engine"],
  ["worker", "keyring"],
  ["engine", "keyring"],
  ["service", "schedule"],
  ["source", "codec"],
  ["source", "digest"],
  ["codec", "digest"],
  // Below the composition root nobody reads configuration.
  ["api", "config"],
  ["daemon", "config"],
];

/** Folders that hold one folder for each kind of a thing: kinds do not import each other. */
const FAMILIES = ["format", "store", "source", "api"];

/** The control plane's model, record and use cases: they say what is to be done, and know nothing of how it is done. */
const CONTROL = ["task", "catalog", "record", "service"];
const CONTROL_MAY_KNOW = [...CONTROL, "fault", "bytes", "flow"];
/** Names of checksums, and nothing that computes one. */
const CONTROL_MAY_NAME = ["digest/checksum.ts"];

/** A kind that is a relative of another, with the files of it that it may use. */
const RELATIVES: Readonly<Record<string, readonly string[]>> = {
  // zvhd keeps the disk geometry, the identifiers and the checksum of VHD.
  "format/zvhd": ["format/vhd/geometry.ts", "format/vhd/identity.ts"],
};

interface Import {
  readonly from: string;
  readonly to: string;
}

/** Written by a generator, which names files and things in its own way. */
const GENERATED = "api/connect/generated/";

const files = globSync("**/*.ts", { cwd: SRC }).map((file) => file.replaceAll("\\", "/"));
const texts = new Map(files.map((file) => [file, readFileSync(join(SRC, file), "utf8")]));
const imports = files.flatMap((from) => importsOf(from, texts.get(from) ?? ""));

/** Static, dynamic and type-only imports, and re-exports. */
function importsOf(from: string, text: string): Import[] {
  const found = withoutComments(text).matchAll(/(?:\bfrom|\bimport)\s*\(?\s*"(\.[^"]+)"/g);
  return [...found].map((match) => ({
    from,
    to: posix.normalize(posix.join(dirname(from), match[1] ?? "")),
  }));
}

function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, "").replace(/^\s*\/\/.*$/gm, "");
}

/** `store` for store/swift/auth.ts; a file at the top stands for itself. */
function placeOf(file: string): string {
  return file.split("/")[0] ?? file;
}

function rowOf(place: string): number {
  return ROWS.findIndex((row) => row.includes(place));
}

/** `format/qcow2` for a file of a kind; undefined for the files that all kinds share. */
function kindOf(file: string): string | undefined {
  const [family = "", kind, ...rest] = file.split("/");
  return FAMILIES.includes(family) && rest.length > 0 ? `${family}/${kind}` : undefined;
}

function show({ from, to }: Import): string {
  return `${from} imports ${to}`;
}

function matches(pattern: RegExp, inFiles: readonly string[] = files): string[] {
  return inFiles.filter((file) => pattern.test(withoutComments(texts.get(file) ?? "")));
}

describe("the map of folders", () => {
  it("knows every folder and file at the top of src", () => {
    const unknown = readdirSync(SRC).filter((name) => rowOf(name) === -1);
    expect(unknown).toEqual([]);
  });

  it("finds the imports that it judges", () => {
    expect(imports.length).toBeGreaterThan(files.length);
    expect(imports.filter(({ to }) => !texts.has(to)).map(show)).toEqual([]);
  });

  it("lets imports go down only", () => {
    const upward = imports.filter(({ from, to }) => rowOf(placeOf(to)) > rowOf(placeOf(from)));
    expect(upward.map(show)).toEqual([]);
  });

  it("keeps apart the folders of one row that have no business with each other", () => {
    const met = imports.filter(({ from, to }) =>
      STRANGERS.some(
        (pair) => pair.includes(placeOf(from)) && pair.includes(placeOf(to)) && placeOf(from) !== placeOf(to),
      ),
    );
    expect(met.map(show)).toEqual([]);
  });

  it("lets no store know a format and no format know a store", () => {
    const pairs = imports.map(({ from, to }) => [placeOf(from), placeOf(to)].join(" → "));
    expect(pairs).not.toContain("store → format");
    expect(pairs).not.toContain("format → store");
  });

  it("keeps the control plane's model and use cases apart from the data plane", () => {
    const met = imports.filter(
      ({ from, to }) =>
        CONTROL.includes(placeOf(from)) &&
        !CONTROL_MAY_KNOW.includes(placeOf(to)) &&
        !CONTROL_MAY_NAME.includes(to),
    );
    expect(met.map(show)).toEqual([]);
  });

  it("lets no kind of format, store, source or dialect import its sibling, relatives excepted", () => {
    const siblings = imports.filter(({ from, to }) => {
      const [mine, other] = [kindOf(from), kindOf(to)];
      if (mine === undefined || other === undefined || mine === other) return false;
      if (placeOf(from) !== placeOf(to)) return false;
      return !(RELATIVES[mine] ?? []).includes(to);
    });
    expect(siblings.map(show)).toEqual([]);
  });

  it("keeps the environment out of all but the composition root", () => {
    const below = files.filter((file) => !["compose.ts", "compose-daemon.ts", "main.ts"].includes(file));
    expect(matches(/\bprocess\.env\b|\bprocess\["env"\]|\benv\b[^;]*from "node:process"/, below)).toEqual([]);
  });
});

describe("the style of modules", () => {
  it("has one default export: that of the worker's entry, which the pool asks for", () => {
    expect(matches(/^export default\b|^export \{[^}]*\bas default\b/m)).toEqual(["worker/entry.ts"]);
  });

  it("never says any", () => {
    expect(matches(/(?::|<|\bas|\||&|,|=>|\bof)\s*any\b(?!\s*[:(])/)).toEqual([]);
  });

  it("names folders and files in kebab-case", () => {
    expect(
      files
        .filter((file) => !file.startsWith(GENERATED))
        .filter((file) => !/^([a-z0-9]+(-[a-z0-9]+)*\/)*[a-z0-9]+(-[a-z0-9]+)*\.ts$/.test(file)),
    ).toEqual([]);
  });
});
