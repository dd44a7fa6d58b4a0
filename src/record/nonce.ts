/** A signed request that has come: it counts once. */
export interface SeenNonce {
  /** Id of the access key that it was signed with. */
  readonly key: string;
  readonly nonce: string;
  /** When it came, by our clock. */
  readonly at: number;
}
