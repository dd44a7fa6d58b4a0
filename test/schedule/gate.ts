/** Lets parts into a store one by one, as a test likes. */
import { unlessAborted } from "../../src/schedule/in-step.ts";
import type { CopyPart, Destination, PartSlot, Upload } from "../../src/store/store.ts";

export interface Gate {
  /** Lets so many parts more pass; Infinity: all, from now on. */
  allow(parts: number): void;
  /** Resolves once so many parts wait in front of it. */
  waiting(parts: number): Promise<void>;
  /** The same place, with the gate in front of its parts. */
  before(destination: Destination): Destination;
  /** Parts that were let in. */
  readonly passed: number;
}

export function partGate(open: number): Gate {
  let allowed = open;
  let passed = 0;
  const line: (() => void)[] = [];
  let changed = Promise.withResolvers<void>();

  const admit = (): void => {
    while (allowed > 0 && line.length > 0) {
      allowed -= 1;
      passed += 1;
      line.shift()?.();
    }
  };
  const pass = async (signal: AbortSignal): Promise<void> => {
    const { promise, resolve } = Promise.withResolvers<void>();
    line.push(resolve);
    admit();
    changed.resolve();
    changed = Promise.withResolvers();
    try {
      await unlessAborted(promise, signal);
    } finally {
      const at = line.indexOf(resolve);
      if (at !== -1) line.splice(at, 1);
    }
  };
  const gated = (upload: Upload): Upload => ({
    token: upload.token,
    get besides() {
      return upload.besides;
    },
    async target(part, signal) {
      await pass(signal);
      return upload.target(part, signal);
    },
    zeros: (part, signal) => upload.zeros(part, signal),
    ...(upload.copy === undefined
      ? {}
      : {
          copy: async (part: PartSlot & CopyPart, signal: AbortSignal) => {
            await pass(signal);
            if (upload.copy === undefined) throw new Error("the store has forgotten how to copy");
            return upload.copy(part, signal);
          },
        }),
    held: (signal) => upload.held(signal),
    complete: (parts, checksums, signal) => upload.complete(parts, checksums, signal),
    abort: (signal) => upload.abort(signal),
    refresh: (signal) => upload.refresh(signal),
  });
  return {
    allow(parts) {
      allowed += parts;
      admit();
    },
    async waiting(parts) {
      while (line.length < parts) await changed.promise;
    },
    before: (destination) => ({
      ...destination,
      begin: async (intent, signal) => gated(await destination.begin(intent, signal)),
      resume: async (token, intent, signal) => gated(await destination.resume(token, intent, signal)),
    }),
    get passed() {
      return passed;
    },
  };
}
