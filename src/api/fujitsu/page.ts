/** `start` and `limit` of lists: FJ-9, FJ-10. */
import { type FujitsuError, misfit } from "./errors.ts";

export interface Page {
  /** Entries to leave out, from the newest. */
  readonly start: number;
  readonly limit: number;
}

/** @param most of one list; whoever asks for more gets as many. */
export function pageOf(
  query: URLSearchParams,
  most: number,
  invalid: { readonly start: FujitsuError; readonly limit: FujitsuError },
): Page {
  const start = numberOf(query, "start", 0, invalid.start);
  const limit = numberOf(query, "limit", most, invalid.limit);
  if (limit === 0) throw misfit(invalid.limit);
  return { start, limit: Math.min(limit, most) };
}

function numberOf(query: URLSearchParams, name: string, otherwise: number, invalid: FujitsuError): number {
  const text = query.get(name);
  if (text === null) return otherwise;
  if (!/^\d{1,15}$/.test(text)) throw misfit(invalid);
  return Number(text);
}
