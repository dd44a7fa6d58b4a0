/** The XML that OSS speaks: small, without document types, read into plain objects of strings. */
import { XMLParser } from "fast-xml-parser";
import { z } from "zod";
import { Fault } from "../../fault/fault.ts";

/** A page of 1,000 entries with the longest names stays below this. */
export const MAX_XML_BYTES = 8 * 1024 * 1024;

const parser = new XMLParser({
  ignoreAttributes: true,
  parseTagValue: false,
  trimValues: true,
  // Nothing is expanded by the parser; the five predefined entities and character references are read below.
  processEntities: false,
  isArray: (name) => name === "Part" || name === "Upload",
});

/**
 * The children of the root element `root`, as `schema` wants them.
 * @throws Fault STORE_PROTOCOL when the text is something else.
 */
export function readXml<T>(text: string, root: string, schema: z.ZodType<T>, name: string): T {
  const document = parseXml(text, name);
  const parsed = schema.safeParse(document[root]);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    const place = [root, ...(issue?.path ?? [])].join(".");
    throw new Fault("STORE_PROTOCOL", `${name}: the reply's ${place}: ${issue?.message}`);
  }
  return parsed.data;
}

/** @throws Fault STORE_PROTOCOL when the text is no XML that OSS would send. */
export function parseXml(text: string, name: string): Record<string, unknown> {
  if (/<!(?:DOCTYPE|ENTITY)/i.test(text)) {
    throw new Fault("STORE_PROTOCOL", `${name}: the reply holds a document type, which OSS never sends`);
  }
  try {
    return decoded(parser.parse(text)) as Record<string, unknown>;
  } catch (error) {
    throw new Fault("STORE_PROTOCOL", `${name}: the reply is no XML`, { cause: error });
  }
}

const ENTITIES: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };

/** Depth is bounded by the parser's own nesting limit. */
function decoded(value: unknown): unknown {
  if (typeof value === "string") return value.includes("&") ? decodeEntities(value) : value;
  if (Array.isArray(value)) return value.map(decoded);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, child]) => [name, decoded(child)]));
}

function decodeEntities(text: string): string {
  return text.replaceAll(/&(?:#(\d{1,7})|#x([0-9a-f]{1,6})|(\w+));/gi, (whole, decimal, hex, named) => {
    if (named !== undefined) return ENTITIES[named] ?? whole;
    const point = decimal === undefined ? Number.parseInt(hex, 16) : Number(decimal);
    return point <= 0x10ffff ? String.fromCodePoint(point) : whole;
  });
}

export function escapeXml(text: string): string {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}

/** A whole number in the text of an element. */
export const xmlNumber = z
  .string()
  .regex(/^\d{1,16}$/, "is no whole number")
  .transform(Number);

/** An ETag without its quotes. */
export const xmlEtag = z.string().transform(unquote);

export function unquote(etag: string): string {
  return etag.replaceAll(/^"|"$/g, "");
}
