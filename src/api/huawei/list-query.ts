/** What OpenStack's lists are asked for: those of the caller's project, by name, after a marker, so many. */
import type { Caller } from "../../service/caller.ts";
import { misfit } from "./errors.ts";

export function listQuery({ project }: Caller, query: URLSearchParams) {
  const name = query.get("name");
  const marker = query.get("marker");
  return {
    project,
    ...(name === null ? {} : { name }),
    ...(marker === null ? {} : { after: marker }),
    ...limitOf(query),
  };
}

function limitOf(query: URLSearchParams): { readonly limit?: number } {
  const text = query.get("limit");
  if (text === null) return {};
  if (!/^[1-9]\d{0,8}$/.test(text)) throw misfit("urlMalformed");
  return { limit: Number(text) };
}
