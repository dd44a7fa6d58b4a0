/** Which tests hold which rule: a test holds those whose numbers its name has. */
import type { Rule, Source } from "./rule.ts";

export interface NamedTest {
  /** From the root of the project. */
  readonly file: string;
  /** With the names of what it stands in. */
  readonly name: string;
}

export interface Coverage {
  /** By the number of the rule. */
  readonly tests: ReadonlyMap<string, readonly NamedTest[]>;
  /** What is wrong, a line each; none when every rule is held and every number is one. */
  readonly faults: readonly string[];
}

const DOCUMENTS = "FJ|EX|IM|CP|EV|CT|CC|DT|DA|DI|DL|DR|WR";
/** `FJ-3`, `CP-E24`, `D9`. */
const NUMBER = new RegExp(`\\b(?:(?:${DOCUMENTS})-E?\\d+|D\\d+)\\b`, "g");
/** Its digits may come from elsewhere. */
const BEGINNING = new RegExp(`\\b(?:(?:${DOCUMENTS})-|D\\d)`);

/** Where tests ask as clients do. */
const OVER_THE_WIRE = /^test\/(api|daemon)\//;

export function coverageOf(sources: readonly Source[], named: readonly NamedTest[]): Coverage {
  const rules = sources.flatMap((source) => source.rules);
  const tests = new Map<string, NamedTest[]>(rules.map(({ id }) => [id, []]));
  const faults: string[] = [];
  for (const test of named) {
    for (const number of numbersOf(test.name)) {
      const held = tests.get(number);
      if (held === undefined) faults.push(`${number} is no rule: ${test.file}: ${test.name}`);
      else held.push(test);
    }
  }
  for (const rule of rules) faults.push(...lacking(rule, tests.get(rule.id) ?? []));
  return { tests, faults };
}

/** Whether tests in a file of this text can have numbers in their names. */
export function mayHold(text: string): boolean {
  return BEGINNING.test(text);
}

export function numbersOf(name: string): ReadonlySet<string> {
  return new Set(name.match(NUMBER));
}

function lacking({ id, says, unmet }: Rule, tests: readonly NamedTest[]): readonly string[] {
  if (unmet !== undefined) {
    return tests.length === 0 ? [] : [`${id} has a test, and is said not to be met: ${says}`];
  }
  if (tests.length === 0) return [`${id} has no test: ${says}`];
  if (tests.some(({ file }) => OVER_THE_WIRE.test(file))) return [];
  return [`${id} has no test over the wire: ${says}`];
}
