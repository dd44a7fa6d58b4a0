/** The README says what is true: of options, codes, dependencies, files, and the configuration file. */
import { existsSync, globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "commander";
import { describe, expect, it } from "vitest";
import type { CliContext } from "../src/cli/context.ts";
import { buildProgram } from "../src/cli/program.ts";
import { parseSettings } from "../src/config/parse-settings.ts";
import { FAULT_CODES } from "../src/fault/fault.ts";
import { FORMATS } from "../src/format/registry.ts";

const ROOT = join(import.meta.dirname, "..");
const readme = readFileSync(join(ROOT, "README.md"), "utf8");
const manifest = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as {
  readonly version: string;
  readonly scripts: Readonly<Record<string, string>>;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
};
const { stdin, stdout, stderr } = process;
const context: CliContext = {
  stdin,
  stdout,
  stderr,
  signal: new AbortController().signal,
  engine: () => Promise.reject(new Error("no command runs here")),
};
const commands = buildProgram(context, manifest.version).commands;

/** The README from one heading to the next of its kind. */
function section(heading: string): string {
  const start = readme.indexOf(`\n${heading}`);
  const kind = heading.split(" ")[0] ?? "";
  const end = readme.indexOf(`\n${kind} `, start + 1);
  return start === -1 ? "" : readme.slice(start, end === -1 ? undefined : end);
}

const optionsOf = (command: Command) => command.options.map((option) => option.long ?? "");

describe("the README", () => {
  it.each(commands.map((command) => [command.name(), command] as const))(
    "names every option of %s in its section",
    (name, command) => {
      const text = section(`### diskferry ${name}`);
      expect(optionsOf(command).filter((option) => !text.includes(`\`${option}`))).toEqual([]);
    },
  );

  it("names no option that no command has", () => {
    const known = new Set(["--omit", "--help", ...commands.flatMap(optionsOf)]);
    const named = [...readme.matchAll(/(?<=[\s`(])--[a-z][a-z-]+/g)].map(([option]) => option);
    expect(named.filter((option) => !known.has(option))).toEqual([]);
  });

  it("explains every error code, and says rightly which are repeated", () => {
    const rows = [...section("## Error codes").matchAll(/^\| `([A-Z_]+)` \| .+ \| (yes|no) \|$/gm)];
    const said = Object.fromEntries(rows.map(([, code, repeated]) => [code, repeated === "yes"]));
    const true_ = Object.fromEntries(Object.entries(FAULT_CODES).map(([code, { retry }]) => [code, retry]));
    expect(said).toEqual(true_);
  });

  it("has a line for every dependency, and names those for development", () => {
    const text = section("### Dependencies");
    const lines = Object.keys(manifest.dependencies).filter((name) => !text.includes(`| \`${name}\` | `));
    const names = Object.keys(manifest.devDependencies).filter((name) => !text.includes(`\`${name}\``));
    expect([lines, names]).toEqual([[], []]);
  });

  it("has no line for what is no dependency", () => {
    const rows = [...section("### Dependencies").matchAll(/^\| `([^`]+)` \|/gm)].map(([, name]) => name);
    expect(rows).toEqual(Object.keys(manifest.dependencies));
  });

  it("has a row for every format", () => {
    const text = section("## Formats");
    expect(FORMATS.filter(({ name }) => !text.includes(`| \`${name}\` |`))).toEqual([]);
  });

  it("names files, folders and scripts that exist", () => {
    const paths = [...readme.matchAll(/`((?:src|test|\.ci)\/[^`]*)`/g)].map(([, path]) => path ?? "");
    expect(paths.length).toBeGreaterThan(20);
    expect(paths.filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
    const scripts = [...readme.matchAll(/npm run ([a-z]+)/g)].map(([, name]) => name ?? "");
    expect(scripts.filter((name) => !(name in manifest.scripts))).toEqual([]);
  });

  it("names every folder of src in its map", () => {
    const folders = globSync("src/*", { cwd: ROOT, withFileTypes: true });
    const missing = folders.filter(
      (entry) => !readme.includes(`| \`src/${entry.name}${entry.isDirectory() ? "/" : ""}\` |`),
    );
    expect(missing.map(({ name }) => name)).toEqual([]);
  });

  it("names environment variables that the program looks at", () => {
    const sources = globSync("src/**/*.ts", { cwd: ROOT }).map((file) =>
      readFileSync(join(ROOT, file), "utf8"),
    );
    const code = sources.join("\n");
    const named = [...readme.matchAll(/`((?:ST|OS|AWS|OSS|XDG)_[A-Z0-9_]+)`/g)].map(([, name]) => name ?? "");
    expect(named.length).toBeGreaterThan(20);
    const built = /^OS_(USER|PROJECT)_DOMAIN_(NAME|ID)$/;
    expect(named.filter((name) => !code.includes(`"${name}"`) && !built.test(name))).toEqual([]);
  });

  it("shows a configuration file that the program takes", () => {
    const yaml = /```yaml\n([\s\S]*?)```/.exec(readme)?.[1] ?? "";
    const settings = parseSettings(yaml, "README.md");
    expect(Object.keys(settings.stores)).toEqual(["swift", "s3", "oss"]);
  });
});
