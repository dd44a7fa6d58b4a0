/** Which signed requests have come before: each is taken once. */

export interface NonceOptions {
  /** How long a nonce is remembered at least. */
  readonly keptMs: number;
  /** Of one access key, within that time. */
  readonly most: number;
}

/**
 * Two generations by access key: when the younger has grown old, the older is let go of. Only nonces of requests whose
 * signature holds come here, so that nobody fills the memory of another.
 */
export class Nonces {
  readonly #options: NonceOptions;
  #began = Number.NEGATIVE_INFINITY;
  #younger = new Map<string, Set<string>>();
  #older = new Map<string, Set<string>>();

  constructor(options: NonceOptions) {
    this.#options = options;
  }

  /** Those that came before a restart. */
  restore(seen: readonly { readonly key: string; readonly nonce: string }[], now: number): void {
    this.#began = now;
    for (const { key, nonce } of seen) {
      const known = this.#older.get(key);
      if (known === undefined) this.#older.set(key, new Set([nonce]));
      else known.add(nonce);
    }
  }

  /** `full`: more requests within the time than are remembered; none of them may come unseen. */
  take(key: string, nonce: string, now: number): "new" | "used" | "full" {
    if (now - this.#began >= this.#options.keptMs) {
      this.#older = now - this.#began >= 2 * this.#options.keptMs ? new Map() : this.#younger;
      this.#younger = new Map();
      this.#began = now;
    }
    const [younger, older] = [this.#younger.get(key), this.#older.get(key)];
    if (younger?.has(nonce) || older?.has(nonce)) return "used";
    if ((younger?.size ?? 0) >= this.#options.most) return "full";
    if (younger === undefined) this.#younger.set(key, new Set([nonce]));
    else younger.add(nonce);
    return "new";
  }
}
