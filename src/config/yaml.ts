/** Reads YAML against a schema. What is wrong is named by file, line and field; its value, perhaps a secret, is not shown. */
import { type Document, isScalar, type Node, parseDocument, Scalar, visit } from "yaml";
import type { z } from "zod";
import { Fault } from "../fault/fault.ts";

/** What `${NAME}` and `${file:PATH}` stand for; undefined: nothing. */
export interface References {
  variable(name: string): string | undefined;
  /** @throws Fault */
  file(path: string): string;
}

/**
 * @param references absent: `${…}` is text like any other.
 * @throws Fault USAGE that names the file and the line.
 */
export function readYaml<Schema extends z.ZodType>(
  text: string,
  path: string,
  schema: Schema,
  references?: References,
): z.output<Schema> {
  const document = parseDocument(text);
  const broken = document.errors[0];
  if (broken !== undefined) {
    throw new Fault("USAGE", `${path}:${broken.linePos?.[0].line ?? 1}: ${broken.message.split("\n")[0]}`);
  }
  if (references !== undefined) resolveReferences(document, { text, path }, references);
  const values = plainValues(document, path);
  const parsed = schema.safeParse(values);
  if (parsed.success) return parsed.data;
  const [issue, ...others] = parsed.error.issues.flatMap((found) => deepest(found, values));
  const at = (issue?.path ?? []).map(String);
  const more = others.length === 0 ? "" : ` (and ${others.length} more)`;
  throw new Fault(
    "USAGE",
    `${path}:${lineOf(document, text, at)}: ${at.join(".") || "settings"}: ${issue?.message}${more}`,
  );
}

/** Aliases that lead nowhere fail only here, with a message that would repeat what may be a secret. */
function plainValues(document: Document, path: string): unknown {
  try {
    return document.toJS() ?? {};
  } catch {
    throw new Fault(
      "USAGE",
      `${path}: refers to an anchor that it does not define; quote values that begin with *`,
    );
  }
}

type Issue = z.core.$ZodIssue;

/**
 * Of several alternatives that all fail, the one that the value came closest to says what is wrong with it: the deeper
 * something is found, and the less is missing, the closer.
 */
function deepest(issue: Issue, values: unknown): readonly Issue[] {
  if (issue.code !== "invalid_union") return [issue];
  const alternatives = issue.errors.map((issues) =>
    issues.map((inner) => ({ ...inner, path: [...issue.path, ...inner.path] })),
  );
  const depth = (issues: readonly Issue[]): number => Math.max(0, ...issues.map(({ path }) => path.length));
  const missing = (issues: readonly Issue[]): number =>
    issues.filter(({ path }) => valueAt(values, path) === undefined).length;
  const [best] = alternatives.toSorted((a, b) => depth(b) - depth(a) || missing(a) - missing(b));
  if (best === undefined || depth(best) === issue.path.length) return [issue];
  return best.flatMap((inner) => deepest(inner, values));
}

function valueAt(values: unknown, path: readonly PropertyKey[]): unknown {
  let value = values;
  for (const key of path) {
    if (typeof value !== "object" || value === null) return undefined;
    value = (value as Readonly<Record<PropertyKey, unknown>>)[key];
  }
  return value;
}

/** The line of a field, or of what it should have stood in. */
function lineOf(document: Document, text: string, path: readonly string[]): number {
  for (let length = path.length; length > 0; length -= 1) {
    const node = document.getIn(path.slice(0, length), true) as Node | undefined;
    const start = node?.range?.[0];
    if (start !== undefined) return lineAt(text, start);
  }
  return 1;
}

function lineAt(text: string, offset: number): number {
  return text.slice(0, offset).split("\n").length;
}

const REFERENCE = /\$\$|\$\{([^}]*)\}/g;

/** Replaces `${NAME}` and `${file:PATH}` in every text that is no key; `$$` stands for one dollar. */
function resolveReferences(
  document: Document,
  { text, path }: { readonly text: string; readonly path: string },
  references: References,
): void {
  visit(document, {
    Scalar(key, node) {
      if (key === "key" || !isScalar(node) || typeof node.value !== "string") return;
      const line = lineAt(text, node.range?.[0] ?? 0);
      const value = node.value.replace(REFERENCE, (whole, name?: string) =>
        name === undefined ? "$" : referred(name, `${path}:${line}: ${whole}`, references),
      );
      if (value === node.value) return;
      const resolved = new Scalar(value);
      resolved.range = node.range ?? null;
      return resolved;
    },
  });
}

function referred(name: string, where: string, references: References): string {
  if (name.startsWith("file:")) {
    try {
      return references.file(name.slice("file:".length)).replace(/\r?\n$/, "");
    } catch (error) {
      throw new Fault("USAGE", `${where}: ${Fault.from(error, "the file").message}`, { cause: error });
    }
  }
  const value = references.variable(name);
  if (value === undefined || value === "") {
    throw new Fault("USAGE", `${where}: the environment has no such variable`);
  }
  return value;
}
