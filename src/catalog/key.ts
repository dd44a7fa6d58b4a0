/** A master key of the local keyring: what is known of it. The key itself is kept elsewhere. */

export interface Key {
  readonly id: string;
  /** Empty: a region's own, which encrypts where nobody names a key. */
  readonly project: string;
  readonly region: string;
  readonly state: "Enabled" | "Disabled" | "PendingDeletion";
  /** Whether this service may use it. */
  readonly serviceGrant: "yes" | "no";
  /** Whether this service may tag it. */
  readonly tagGrant: "yes" | "no";
  /** Milliseconds since 1970. */
  readonly createdAt: number;
}
