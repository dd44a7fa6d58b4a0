/** Notes in the audit log. What was done is done, and what was refused is refused, also when no note can be taken of it. */
import { Fault } from "../fault/fault.ts";
import type { AuditEntry } from "../record/audit.ts";
import type { TaskRecord } from "../record/record.ts";
import type { Note } from "../schedule/ports.ts";

/** Never throws: what the record does not take goes to the daemon's own log. */
export function auditTo(record: Pick<TaskRecord, "audit">, note: Note): (entry: AuditEntry) => Promise<void> {
  return async (entry) => {
    try {
      await record.audit(entry);
    } catch (error) {
      const { code, message } = Fault.from(error, "the record");
      note("error", "audit-lost", { ...entry, code, message });
    }
  };
}
