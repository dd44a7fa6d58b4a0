/** Bytes already in memory: a source for tests and for small objects. */
import { Fault } from "../../fault/fault.ts";
import type { Source } from "../source.ts";

export function memorySource(bytes: Uint8Array, name = "memory"): Source {
  return {
    name,
    size: bytes.length,
    version: `memory-${bytes.length}`,
    async read(into, position) {
      if (position < 0 || position + into.length > bytes.length) {
        throw new Fault(
          "IMAGE_TRUNCATED",
          `${name}: ends at ${bytes.length}, but ${into.length} bytes are needed at ${position}`,
        );
      }
      into.set(bytes.subarray(position, position + into.length));
    },
    async recipe() {
      throw new Fault("INTERNAL", `${name}: bytes in memory cannot be opened by another thread`);
    },
    async check() {},
    async [Symbol.asyncDispose]() {},
  };
}
