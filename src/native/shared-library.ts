/** Shared libraries of the machine, called through koffi. */
import { createRequire } from "node:module";
import { Fault } from "../fault/fault.ts";

export type Koffi = typeof import("koffi");
export type SharedLibrary = ReturnType<Koffi["load"]>;

/** Throws where koffi cannot load. */
export function loadKoffi(): Koffi {
  return createRequire(import.meta.url)("koffi") as Koffi;
}

/**
 * A thread's binding to the first of `files` that the machine has and `bind` does not throw for; made by the first call.
 * Undefined where there is none, or where koffi cannot load.
 */
export function sharedLibrary<T>(
  files: readonly string[],
  bind: (library: SharedLibrary, file: string, koffi: Koffi) => T,
): () => T | undefined {
  let loaded: { readonly binding: T | undefined } | undefined;
  return () => {
    loaded ??= { binding: firstOf(files, bind) };
    return loaded.binding;
  };
}

function firstOf<T>(...[files, bind]: Parameters<typeof sharedLibrary<T>>): T | undefined {
  try {
    const koffi = loadKoffi();
    for (const file of files) {
      try {
        return bind(koffi.load(file), file, koffi);
      } catch {
        // Not under this name.
      }
    }
  } catch {
    // No koffi.
  }
  return undefined;
}

/** @throws Fault INTERNAL for what a library could not allocate */
export function allocated(pointer: unknown, name: string): unknown {
  if (pointer === null) throw new Fault("INTERNAL", `${name}: has no memory for its tables`);
  return pointer;
}
