/** A destination whose calls are timed; for the rest it is the one that it wraps. */
import { Fault } from "../fault/fault.ts";
import type { Source } from "../source/source.ts";
import type { CopyPart, Destination, PartSlot, Upload } from "./store.ts";

/** @param code `done`, or the code of the fault */
export type Called = (operation: string, code: string, seconds: number) => void;

/** @param clock milliseconds */
export function timed(destination: Destination, called: Called, clock: () => number): Destination {
  const call = async <T>(operation: string, work: () => Promise<T>): Promise<T> => {
    const began = clock();
    const tell = (code: string): void => called(operation, code, (clock() - began) / 1000);
    try {
      const done = await work();
      tell("done");
      return done;
    } catch (error) {
      tell(Fault.from(error, operation).code);
      throw error;
    }
  };
  const uploadOf = (upload: Upload): Upload => {
    const { copy } = upload;
    return {
      token: upload.token,
      get besides() {
        return upload.besides;
      },
      target: (part, signal) => call("target", () => upload.target(part, signal)),
      zeros: (part, signal) => call("zeros", () => upload.zeros(part, signal)),
      ...(copy === undefined
        ? {}
        : {
            copy: (part: PartSlot & CopyPart, signal: AbortSignal) =>
              call("copy", () => copy.call(upload, part, signal)),
          }),
      held: (signal) => upload.held(signal),
      complete: (parts, checksums, signal) =>
        call("complete", () => upload.complete(parts, checksums, signal)),
      abort: (signal) => call("abort", () => upload.abort(signal)),
      refresh: (signal) => call("refresh", () => upload.refresh(signal)),
    };
  };
  const { removeUnheard, copyParts } = destination;
  return {
    name: destination.name,
    identity: destination.identity,
    limits: destination.limits,
    begin: (intent, signal) => call("begin", async () => uploadOf(await destination.begin(intent, signal))),
    resume: (token, intent, signal) =>
      call("resume", async () => uploadOf(await destination.resume(token, intent, signal))),
    landed: (token, signal) => call("landed", () => destination.landed(token, signal)),
    discard: (token, signal) => call("discard", () => destination.discard(token, signal)),
    removeOrphans: (signal) => call("removeOrphans", () => destination.removeOrphans(signal)),
    remove: (signal) => call("remove", () => destination.remove(signal)),
    ...(removeUnheard === undefined
      ? {}
      : {
          removeUnheard: (about: Date, signal: AbortSignal) =>
            call("removeUnheard", () => removeUnheard.call(destination, about, signal)),
        }),
    ...(copyParts === undefined
      ? {}
      : {
          copyParts: (source: Source, signal: AbortSignal) =>
            call("copyParts", () => copyParts.call(destination, source, signal)),
        }),
    source: (signal) => call("source", () => destination.source(signal)),
    [Symbol.asyncDispose]: () => destination[Symbol.asyncDispose](),
  };
}
