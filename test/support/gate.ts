import { Fault } from "../../src/fault/fault.ts";
import type { ReferenceGate } from "../../src/format/format.ts";

/** A gate that opens nothing: what an image names is refused. */
export const closedGate: ReferenceGate = {
  async backing(reference) {
    throw new Fault(
      "REFERENCE_NOT_LISTED",
      `${reference.from}: names the ${reference.role} "${reference.name}"`,
    );
  },
  async dataFile(reference) {
    throw new Fault(
      "REFERENCE_NOT_LISTED",
      `${reference.from}: names the ${reference.role} "${reference.name}"`,
    );
  },
};
