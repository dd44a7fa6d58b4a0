/**
 * The innermost loops of the digests, in one of two forms with the same values. `simd` is this project's own, made of
 * WebAssembly with SIMD. Where the engine has none of that (V8 wants SSE4.1 of an x64 processor), `plain` does the
 * work: hash-wasm, which is loaded in that case only. It starts asynchronously; that is why this module awaits it, so
 * that whoever has imported a digest can use it at once.
 */
import { compiles, FunctionBuilder, i32, i64x2, v128 } from "./wasm/assembler.ts";
import { CRC64_POLYNOMIALS, type Crc64Kernel, type Crc64Kind } from "./wasm/crc64-arithmetic.ts";
import { createCrc64Kernel } from "./wasm/crc64-kernel.ts";
import { createGuestKernel } from "./wasm/guest-kernel.ts";
import type { GuestKernel } from "./wasm/guest-sum.ts";
import { createMd5Kernel, type Md5Kernel } from "./wasm/md5-kernel.ts";

export type KernelForm = "simd" | "plain";

/** Each kernel is made at its first call. */
export interface DigestKernels {
  readonly form: KernelForm;
  readonly md5: () => Md5Kernel;
  readonly crc64: Readonly<Record<Crc64Kind, () => Crc64Kernel>>;
  readonly guest: () => GuestKernel;
}

let kernels = hasSimd() ? simdKernels() : await plainKernels();

/** Those of this thread. */
export function digestKernels(): DigestKernels {
  return kernels;
}

/** Takes the kernels of a form from now on, whatever suits the engine best: so that both can be compared. */
export async function useKernels(form: KernelForm): Promise<void> {
  kernels = form === "simd" ? simdKernels() : await plainKernels();
}

function simdKernels(): DigestKernels {
  return {
    form: "simd",
    md5: once(createMd5Kernel),
    crc64: {
      crc64xz: once(() => createCrc64Kernel(CRC64_POLYNOMIALS.crc64xz)),
      crc64nvme: once(() => createCrc64Kernel(CRC64_POLYNOMIALS.crc64nvme)),
    },
    guest: once(createGuestKernel),
  };
}

async function plainKernels(): Promise<DigestKernels> {
  const plain = await import("./plain-kernels.ts");
  const [md5, crc64xz, crc64nvme, guest] = await Promise.all([
    plain.createPlainMd5Kernel(),
    plain.createPlainCrc64Kernel(CRC64_POLYNOMIALS.crc64xz),
    plain.createPlainCrc64Kernel(CRC64_POLYNOMIALS.crc64nvme),
    plain.createPlainGuestKernel(),
  ]);
  return {
    form: "plain",
    md5: () => md5,
    crc64: { crc64xz: () => crc64xz, crc64nvme: () => crc64nvme },
    guest: () => guest,
  };
}

function once<T>(make: () => T): () => T {
  let made: T | undefined;
  return () => {
    made ??= make();
    return made;
  };
}

/** Probes with one of the last instructions that SIMD was given. */
function hasSimd(): boolean {
  const f = new FunctionBuilder("probe", []);
  const value = v128.const(Array.from({ length: 16 }, () => 0));
  f.emit(v128.store(i32.const(0), i64x2.extmulLowU(value, value)));
  return compiles(f);
}
