/** What all entries of the catalogue have in common. */

/** An entry as it is stored. Whoever replaces it names the version that he has seen. */
export interface Versioned<Entry> {
  readonly entry: Entry;
  /** Grows by one with each change. */
  readonly version: number;
}
