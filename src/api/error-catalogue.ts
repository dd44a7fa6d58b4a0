/** The error catalogue of a dialect whose rows have names, and the refusals that name theirs. */
import { Fault } from "../fault/fault.ts";

export interface ErrorRow {
  readonly status: number;
  readonly code: string;
  readonly message: string;
  /** Where the row comes from. */
  readonly rule: string;
}

type Rows<Name extends string> = Readonly<
  Record<Name, readonly [status: number, code: string, message: string, rule: string]>
>;

export interface ErrorCatalogue<Name extends string> {
  readonly names: readonly Name[];
  errorRow(name: Name): ErrorRow;
  /** A refusal of the dialect's own, of what no use case ever sees. */
  misfit(name: Name): Fault;
  /** The name that a misfit bears; undefined of all other faults. */
  nameOf(fault: Fault): Name | undefined;
}

export function errorCatalogue<Name extends string>(rows: Rows<Name>): ErrorCatalogue<Name> {
  return {
    names: Object.keys(rows) as Name[],
    errorRow(name) {
      const [status, code, message, rule] = rows[name];
      return { status, code, message, rule };
    },
    misfit: (name) => new Fault("USAGE", rows[name][2], { details: { row: name } }),
    nameOf: ({ details }) => details["row"] as Name | undefined,
  };
}
