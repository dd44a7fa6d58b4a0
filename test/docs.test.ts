/** The README says what is true: of options, codes, dependencies, files, and the configuration file. */
import { existsSync, globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "commander";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import type { CliContext } from "../src/cli/context.ts";
import { buildProgram } from "../src/cli/program.ts";
import { daemonSettingsSchema } from "../src/config/daemon-settings.ts";
import { parseSettings } from "../src/config/parse-settings.ts";
import { readYaml } from "../src/config/yaml.ts";
import { FAULT_CODES } from "../src/fault/fault.ts";
import { FORMATS } from "../src/format/registry.ts";

const ROOT = join(import.meta.dirname, "..");
const readme = readFileSync(join(ROOT, "README.md"), "utf8");
const operations = readFileSync(join(ROOT, "docs/operations.md"), "utf8");
const manifest = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as {
  readonly version: string;
  readonly scripts: Readonly<Record<string, string>>;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
};
const { stdin, stdout, stderr } = process;
const nothing = () => Promise.reject(new Error("no command runs here"));
const context: CliContext = {
  stdin,
  stdout,
  stderr,
  signal: new AbortController().signal,
  installation: { directory: ROOT, version: manifest.version, node: "" },
  onHangup: () => {},
  engine: nothing,
  daemon: nothing,
  checkDaemon: nothing,
  access: nothing,
};
const { commands } = await buildProgram(context);

/** A text from one heading to the next of its kind. */
function section(heading: string, text = readme): string {
  const start = text.search(new RegExp(`\\n${heading}\\b`));
  const kind = heading.split(" ")[0] ?? "";
  const end = text.indexOf(`\n${kind} `, start + 1);
  return start === -1 ? "" : text.slice(start, end === -1 ? undefined : end);
}

/** What is said of a command: by itself, and for all commands of its kind, where it says that it is one of them. */
function saidOf(command: string): string {
  const own = section(`### diskferry ${command}`) + section(`### diskferry ${command}`, operations);
  const shared = ["What every request may say", "Reaching the daemon"].map((title) => `### ${title}`);
  const asksDaemon = section(`### diskferry ${command}`, operations) !== "" && command !== "serve";
  return own + (asksDaemon ? shared.map((title) => section(title, operations)).join("") : "");
}

const optionsOf = (command: Command) => command.options.map((option) => option.long ?? "");

describe("the README", () => {
  it.each(commands.map((command) => [command.name(), command] as const))(
    "names every option of %s, or docs/operations.md does",
    (name, command) => {
      const text = saidOf(name);
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

/** Every key of the schema as the table writes it: `regions.<name>.slots.copy`, `callers.tokens[].name`. */
function* keysOf(schema: JsonSchema, at = ""): Generator<string> {
  const inside = [...Object.entries(schema.properties ?? {})];
  // Those of the stores' credentials stand in the README.
  if (/^credentials\.<name>\.\w+$/.test(at)) yield at;
  else if (schema.items?.properties !== undefined) yield* keysOf(schema.items, `${at}[]`);
  else if (inside.length > 0) {
    for (const [key, value] of inside) yield* keysOf(value, at === "" ? key : `${at}.${key}`);
  } else if (schema.additionalProperties?.properties !== undefined) {
    yield* keysOf(schema.additionalProperties, `${at}.<name>`);
  } else yield at;
}

interface JsonSchema {
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly additionalProperties?: JsonSchema;
  readonly items?: JsonSchema;
}

describe("docs/operations.md", () => {
  it("has a row for every key of the daemon's configuration, and no other", () => {
    const schema = z.toJSONSchema(daemonSettingsSchema, { io: "input", unrepresentable: "any" });
    const rows = [...section("## Configuration", operations).matchAll(/^\| `([^`]+)` \|/gm)];
    expect(rows.map(([, key]) => key)).toEqual([...keysOf(schema as JsonSchema)]);
  });

  it("shows a configuration that the daemon takes", () => {
    const yaml = /```yaml\n([\s\S]*?)```/.exec(operations)?.[1] ?? "";
    const asked: string[] = [];
    const read = (text: string) =>
      readYaml(text, "docs/operations.md", daemonSettingsSchema, {
        variable: (name) => `${asked.push(name)} secret`,
        file: (path) => `${asked.push(path)} secret\n`,
      });
    // A token that everybody can read in a manual must open nothing.
    expect(() => read(yaml)).toThrow("callers.tokens.0.sha256");
    asked.length = 0;
    const settings = read(yaml.replace("<what sha256sum says of the token>", "a".repeat(64)));
    expect(asked).toEqual(["/etc/diskferry/keystone.secret", "BACKUP_KEY_ID", "BACKUP_KEY"]);
    expect(Object.keys(settings.regions)).toEqual(["east", "west"]);
  });

  it("names no option that no command has", () => {
    const known = new Set(["--help", ...commands.flatMap(optionsOf)]);
    const prose = operations.replace(/^ {4}(?!diskferry ).*$/gm, "");
    const named = [...prose.matchAll(/(?<=[\s`(])--[a-z][a-z-]+/g)].map(([option]) => option);
    expect(named.filter((option) => !known.has(option))).toEqual([]);
  });

  it("has a section for every command that asks a daemon, and names files that exist", () => {
    const asking = commands.filter((command) => optionsOf(command).includes("--server"));
    expect(asking.length).toBeGreaterThan(9);
    expect(asking.filter((command) => section(`### diskferry ${command.name()}`, operations) === "")).toEqual(
      [],
    );
    const paths = [...operations.matchAll(/`((?:src|docs)\/[^`]*)`/g)].map(([, path]) => path ?? "");
    expect(paths.filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
  });

  it("speaks of the unit and the container with options that the daemon has", () => {
    for (const file of ["docs/diskferry.service", "docs/Containerfile"]) {
      expect(readFileSync(join(ROOT, file), "utf8")).toMatch(/diskferry\W+serve\W+(CMD\W+)?--config\W+\/etc/);
    }
  });
});
