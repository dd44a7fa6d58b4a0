/** Who asks. Every dialect makes one of what it has authenticated. */

export interface Caller {
  /** For the audit log. */
  readonly name: string;
  /** Whose things are seen and used. */
  readonly project: string;
  /** `admin` sees every project, and may change the catalogue. */
  readonly role: "user" | "admin";
  readonly requestId: string;
  /** W3C trace context. */
  readonly traceparent?: string;
}
