/** Who did what. Entries are appended, never changed, and forgotten after their time. */

export interface AuditEntry {
  readonly at: number;
  /** Name of the caller. */
  readonly actor: string;
  readonly project: string;
  /** Such as `exportImage`, `cancelTask`. */
  readonly action: string;
  /** Id of what it was done to, if there is one. */
  readonly subject?: string;
  /** `done`, or the code of the fault. */
  readonly outcome: string;
  readonly requestId: string;
}

export interface RecordedAudit extends AuditEntry {
  /** Unique, ascending. */
  readonly sequence: number;
}

export interface AuditQuery {
  readonly project?: string;
  /** Only entries with smaller numbers; absent: from the newest. */
  readonly before?: number;
  readonly limit: number;
}
