/** Fields of messages: which must be there, which say something, and which are numbers of ours. */
import { malformed } from "../../service/wellformed.ts";

/** What must be there. */
export function required<T>(field: string, value: T | undefined): T {
  if (value === undefined || value === "") throw malformed(field, `${field} is missing`);
  return value;
}

/** The number of an int64. @throws Fault USAGE when it is too large to be one of ours. */
export function safe(field: string, value: bigint): number {
  const number = Number(value);
  if (!Number.isSafeInteger(number)) throw malformed(field, `${field}: ${value} is out of range`);
  return number;
}

/** Keeps what says something: proto3 knows no other absence of a text, a number or a list. */
export function given<Name extends string, T>(
  name: Name,
  value: T | undefined,
): { readonly [K in Name]?: T } {
  const says =
    value !== undefined && value !== "" && value !== 0 && !(Array.isArray(value) && value.length === 0);
  return (says ? { [name]: value } : {}) as { readonly [K in Name]?: T };
}

export function yesNo(said: boolean): "yes" | "no" {
  return said ? "yes" : "no";
}
