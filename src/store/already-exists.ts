/** What every store says of a name that is taken. */
import { Fault } from "../fault/fault.ts";

export function alreadyExists(name: string): Fault {
  return new Fault(
    "ALREADY_EXISTS",
    `${name}: exists already; choose another name, or replace it with --overwrite`,
  );
}
