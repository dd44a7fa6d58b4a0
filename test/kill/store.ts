/** A store under the campaign: how the program reaches it, and how a test looks at what is in it. */
import { createHash } from "node:crypto";
import type { Sent } from "./proxy.ts";
import type { Tripwire } from "./tripwire.ts";

export interface Store extends AsyncDisposable {
  readonly title: string;
  readonly tripwire: Tripwire;
  /** Kinds of things that happen in any transfer, at which it may be killed. */
  readonly kinds: readonly string[];
  readonly phases: readonly ("asked" | "within" | "done" | "told")[];
  /** What the program is given besides the credentials. */
  readonly options: readonly string[];
  /** Credentials, and where the store is. */
  readonly environment: Readonly<Record<string, string>>;
  /** Every part's body that was sent; undefined where nobody can see that. */
  readonly sent: readonly Sent[] | undefined;
  /** As the program is told it. */
  place(name: string): string;
  /** SHA-256 of the landed object; undefined when there is none. */
  digest(name: string): Promise<string | undefined>;
  /** All that is there and belongs to no landed object. */
  orphans(): Promise<readonly string[]>;
  /** Removes the object and all that is left of others. */
  clear(): Promise<void>;
  /** Makes the store forget every unfinished upload. */
  dropUploads(): Promise<void>;
}

export async function sha256(chunks: AsyncIterable<Uint8Array>): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of chunks) hash.update(chunk);
  return hash.digest("hex");
}
