/** Repeats what may be repeated, with fresh credentials where the old ones were refused. */
import { Fault } from "../fault/fault.ts";
import { DEFAULT_RETRY, withRetry } from "../flow/retry.ts";
import type { Source } from "../source/source.ts";
import type { Upload } from "../store/store.ts";

export interface Persistence {
  /** For messages. */
  readonly name: string;
  readonly upload: Upload;
  readonly sources: readonly Source[];
  readonly onRetry: (fault: Fault, waitMs: number) => void;
}

export function persist<T>(
  { name, upload, sources, onRetry }: Persistence,
  work: () => Promise<T>,
  signal: AbortSignal,
): Promise<T> {
  const attempt = async (): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof Fault) || error.code !== "CREDENTIALS_EXPIRED") throw error;
      const side = error.details["reading"] === true ? sources : [upload];
      await Promise.all(side.map((one) => one.refresh?.(signal)));
      throw error;
    }
  };
  return withRetry(name, DEFAULT_RETRY, attempt, signal, onRetry);
}
