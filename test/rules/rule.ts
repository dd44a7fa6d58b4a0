/** What a rule is: one sentence of a document that clients were written against, by its number. */

export interface Rule {
  readonly id: string;
  readonly says: string;
  /** What of it no request can meet here, and why. */
  readonly unmet?: string;
}

export interface Source {
  readonly title: string;
  /** Where the rules come from, and who gave them their numbers. */
  readonly origin: string;
  readonly rules: readonly Rule[];
}

export type Row = readonly [id: string, says: string, unmet?: string];

export function rulesOf(rows: readonly Row[]): readonly Rule[] {
  return rows.map(([id, says, unmet]) => ({ id, says, ...(unmet === undefined ? {} : { unmet }) }));
}
