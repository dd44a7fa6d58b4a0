/** Answers as XML or JSON. The XML's content type is what Alibaba's own clients know an error by. */

export type Format = "xml" | "json";

/** What an answer says. A list stands below the name of its elements, in both forms. */
export type Value = string | number | boolean | undefined | readonly Value[] | Fields;

export interface Fields {
  readonly [name: string]: Value;
}

export const CONTENT_TYPES: Readonly<Record<Format, string>> = {
  xml: "text/xml;charset=utf-8",
  json: "application/json;charset=utf-8",
};

/** @param root name of the XML's outermost element. */
export function envelope(format: Format, root: string, fields: Fields): string {
  if (format === "json") return JSON.stringify(fields);
  return `<?xml version="1.0" encoding="UTF-8"?>${element(root, fields)}`;
}

function element(name: string, value: Value): string {
  if (value === undefined) return "";
  if (isList(value)) return value.map((one) => element(name, one)).join("");
  return `<${name}>${content(value)}</${name}>`;
}

function content(value: string | number | boolean | Fields): string {
  if (typeof value !== "object") return escaped(String(value));
  return Object.entries(value)
    .map(([name, one]) => element(name, one))
    .join("");
}

function isList(value: Value): value is readonly Value[] {
  return Array.isArray(value);
}

/** XML 1.0, sections 2.2 and 2.4: what no document may hold is replaced. */
function escaped(text: string): string {
  return (
    text
      .toWellFormed()
      // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is replaced
      .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, "\ufffd")
      .replace(/&/g, "&amp;")
      .replace(/</g, "&lt;")
      .replace(/>/g, "&gt;")
      .replace(/"/g, "&quot;")
  );
}
