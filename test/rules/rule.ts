/** What a rule is: one sentence of a document that clients were written against, by its number. */

export interface Rule {
  readonly id: string;
  readonly says: string;
  /** Why no request can meet it here. */
  readonly unmet?: string;
  /** What of it no request can meet here, and why; the rest is held by tests. */
  readonly partly?: string;
}

export interface Source {
  readonly title: string;
  /** Where the rules come from, and who gave them their numbers. */
  readonly origin: string;
  readonly rules: readonly Rule[];
}

export type Row = readonly [id: string, says: string, limits?: Pick<Rule, "unmet" | "partly">];

export function rulesOf(rows: readonly Row[]): readonly Rule[] {
  return rows.map(([id, says, limits]) => ({ id, says, ...limits }));
}
