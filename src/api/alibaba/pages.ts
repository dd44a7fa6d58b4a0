/** Lists come in pages, counted from one. */
import type { Parameters } from "./parameters.ts";
import { refused } from "./refused.ts";

const USUAL_SIZE = 10;
const MOST_SIZE = 100;
const MOST_LISTED = 100;
/** Beyond it no list goes: what is skipped is read all the same. */
const LAST_PAGE = 1_000_000;

export interface Page {
  readonly number: number;
  readonly size: number;
  /** How many come before it. */
  readonly start: number;
}

export function pageOf(parameters: Parameters): Page {
  const number = parameters.whole("PageNumber", 1, LAST_PAGE) ?? 1;
  const size = parameters.whole("PageSize", 1, MOST_SIZE) ?? USUAL_SIZE;
  return { number, size, start: (number - 1) * size };
}

/** `a,b,c` */
export function listed(parameters: Parameters, name: string): readonly string[] | undefined {
  const said = parameters.text(name)?.split(",");
  if (said !== undefined && said.length > MOST_LISTED) throw refused("invalid-parameter", name);
  return said?.map((one) => one.trim());
}

/** `<name>.1`, `<name>.2`, … */
export function numbered(parameters: Parameters, name: string): readonly string[] | undefined {
  const numbers = parameters.numbersOf(name);
  if (numbers.length === 0) return undefined;
  if (numbers.length > MOST_LISTED) throw refused("invalid-parameter", name);
  return numbers.map((n) => parameters.text(`${name}.${n}`) ?? "");
}
