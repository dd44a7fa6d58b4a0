/** Words of the use cases, such as `in-use`, and the numbers that stand for them in messages. */
import type { DescEnum } from "@bufbuild/protobuf";
import type { GenEnum } from "@bufbuild/protobuf/codegenv2";
import { malformed } from "../../service/wellformed.ts";

export interface EnumWords<Word extends string, Value extends number> {
  wire(word: Word): Value;
  /** Undefined for UNSPECIFIED. @throws Fault USAGE for a number that stands for nothing. */
  word(field: string, value: Value): Word | undefined;
}

/** Pairs each word with the value of its letters: `in-use` is IN_USE, `UnAvailable` is UNAVAILABLE. */
export function enumWords<Word extends string, Value extends number>(
  schema: GenEnum<Value>,
  words: readonly Word[],
): EnumWords<Word, Value> {
  const numbers = new Map(words.map((word) => [word, numberOf(schema, word)]));
  const spelled = new Map([...numbers].map(([word, number]) => [number, word]));
  return {
    wire: (word) => numbers.get(word) as Value,
    word(field, value) {
      if (value === 0) return undefined;
      const word = spelled.get(value);
      if (word === undefined) throw malformed(field, `${field}: ${value} stands for nothing`);
      return word;
    },
  };
}

function numberOf(schema: DescEnum, word: string): number {
  const value = schema.values.find(({ localName }) => lettersOf(localName) === lettersOf(word));
  if (value === undefined) throw new TypeError(`${schema.typeName} has no value for "${word}"`);
  return value.number;
}

function lettersOf(name: string): string {
  return name.replace(/[^A-Za-z0-9]/g, "").toLowerCase();
}
