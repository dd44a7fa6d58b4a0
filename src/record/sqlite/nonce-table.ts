/** Signed requests that have come; runs inside one transaction. */
import type { SeenNonce } from "../nonce.ts";
import type { Database } from "./database.ts";

/** More than comes, so that the table does not grow. */
const FORGOTTEN_AT_ONCE = 4;

export function keepNonce(database: Database, { key, nonce, at }: SeenNonce, forgetBefore: number): void {
  database.run(
    "DELETE FROM nonce WHERE (key, nonce) IN (SELECT key, nonce FROM nonce WHERE at < ? LIMIT ?)",
    forgetBefore,
    FORGOTTEN_AT_ONCE,
  );
  database.run("INSERT OR REPLACE INTO nonce (key, nonce, at) VALUES (?, ?, ?)", key, nonce, at);
}

export function listNonces(database: Database, since: number): readonly SeenNonce[] {
  return database
    .all("SELECT key, nonce, at FROM nonce WHERE at >= ?", since)
    .map(({ key, nonce, at }) => ({ key: String(key), nonce: String(nonce), at: Number(at) }));
}
