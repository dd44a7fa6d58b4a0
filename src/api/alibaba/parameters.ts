/** The parameters of a request, from query and form, by name: upper and lower case are the same. */
import { refused } from "./refused.ts";
import type { Pair } from "./signature.ts";

export class Parameters {
  readonly #values = new Map<string, string>();

  /** @throws the refusal of what cannot be read in one way only. */
  constructor(pairs: readonly Pair[]) {
    for (const [name, value] of pairs) {
      const key = name.toLowerCase();
      if (this.#values.has(key)) throw refused("invalid-parameter", shown(name));
      this.#values.set(key, value);
    }
  }

  /** Empty is absent, as the API has it. */
  text(name: string): string | undefined {
    return this.#values.get(name.toLowerCase()) || undefined;
  }

  /** Empty is said, too. */
  said(name: string): string | undefined {
    return this.#values.get(name.toLowerCase());
  }

  flag(name: string): boolean | undefined {
    const said = this.text(name)?.toLowerCase();
    if (said === undefined) return undefined;
    if (said === "true") return true;
    if (said === "false") return false;
    throw refused("invalid-parameter", name);
  }

  whole(name: string, from: number, to: number): number | undefined {
    const said = this.text(name);
    if (said === undefined) return undefined;
    const number = Number(said);
    if (/^\d{1,15}$/.test(said) && number >= from && number <= to) return number;
    throw refused("invalid-parameter", name);
  }

  /** The numbers n of `<list>.<n>` and `<list>.<n>.…`, ascending. */
  numbersOf(list: string): readonly number[] {
    const prefix = `${list.toLowerCase()}.`;
    const numbers = new Set<number>();
    for (const name of this.#values.keys()) {
      const number = name.startsWith(prefix)
        ? /^\d{1,9}(?=\.|$)/.exec(name.slice(prefix.length))?.[0]
        : undefined;
      if (number !== undefined) numbers.add(Number(number));
    }
    return [...numbers].sort((a, b) => a - b);
  }
}

/** A name from outside goes into a message at a bounded length. */
function shown(name: string): string {
  return name.replace(/\p{Cc}+/gu, " ").slice(0, 100);
}
