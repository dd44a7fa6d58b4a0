/** Objects of deleted images leave their stores. */
import { Fault } from "../fault/fault.ts";
import { withDeadline } from "../flow/deadline.ts";
import type { UnneededObject } from "../record/record.ts";
import type { SchedulePorts } from "./ports.ts";

/** Asked for anew before each removal: something may have come to use the next one. */
const AT_ONCE = 1;
/** An object of many parts goes in many requests. */
const REMOVE_MS = 10 * 60_000;

type Ports = Pick<SchedulePorts, "record" | "places" | "note">;

/** Removes them, and says how many could not be: they are met again by the next call. */
export async function removeUnneeded(ports: Ports, signal: AbortSignal): Promise<number> {
  const { record, note } = ports;
  let left = 0;
  for (let after = 0; ; ) {
    const objects = await record.unneeded({ after, limit: AT_ONCE });
    for (const unneeded of objects) {
      const { sequence, destination, object } = unneeded;
      after = sequence;
      try {
        const outcome = await withDeadline(`removing ${object}`, REMOVE_MS, signal, (within) =>
          remove(unneeded, ports, within),
        );
        await record.removed(sequence);
        if (outcome === "removed") note("info", "object-removed", { destination, object });
        else note("warn", "object-kept", { destination, object, reason: outcome });
      } catch (error) {
        signal.throwIfAborted();
        const { code, message } = Fault.from(error, object);
        note("warn", "object-kept", { destination, object, code, message });
        left += 1;
      }
    }
    if (objects.length === 0) return left;
  }
}

/** Of a destination that is gone from the catalogue nothing can be removed any more. */
async function remove(
  { destination: name, object }: UnneededObject,
  { record, places }: Ports,
  signal: AbortSignal,
): Promise<"removed" | "not ours" | "out of reach"> {
  const found = await record.catalogue.destinations.get(name);
  if (found === undefined) return "out of reach";
  await using destination = await places.destination(found.entry, object, signal);
  return destination.remove(signal);
}
