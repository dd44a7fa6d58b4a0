/**
 * A small assembler for WebAssembly: kernels are written as TypeScript expressions and become a module at run time,
 * so that no toolchain and no binary file is needed. Instruction names and numbers are those of the WebAssembly
 * core specification 2.0, "Instructions", and of its SIMD section.
 */

/** Encoded instructions, as a tree of bytes. An expression leaves its value on the stack, a statement nothing. */
export type Code = readonly (number | Code)[];

export type ValueType = "i32" | "i64" | "v128";

const TYPE_BYTES: Readonly<Record<ValueType, number>> = { i32: 0x7f, i64: 0x7e, v128: 0x7b };
/** Of a block without a result. */
const NO_RESULT = 0x40;
const PAGE = 65_536;

function unsigned(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  while (rest > 127) {
    bytes.push((rest & 127) | 128);
    rest >>>= 7;
  }
  bytes.push(rest);
  return bytes;
}

function signed(value: bigint): number[] {
  const bytes: number[] = [];
  for (let rest = value; ; ) {
    const byte = Number(rest & 127n);
    rest >>= 7n;
    const last = (rest === 0n && (byte & 64) === 0) || (rest === -1n && (byte & 64) !== 0);
    bytes.push(last ? byte : byte | 128);
    if (last) return bytes;
  }
}

type Unary = (a: Code) => Code;
type Binary = (a: Code, b: Code) => Code;
type Load = (address: Code, offset?: number) => Code;
type Store = (address: Code, value: Code, offset?: number) => Code;

const unary =
  (...opcode: number[]): Unary =>
  (a) => [a, ...opcode];
const binary =
  (...opcode: number[]): Binary =>
  (a, b) => [a, b, ...opcode];
const load =
  (...opcode: number[]): Load =>
  (address, offset = 0) => [address, ...opcode, 0, ...unsigned(offset)];
const store =
  (...opcode: number[]): Store =>
  (address, value, offset = 0) => [address, value, ...opcode, 0, ...unsigned(offset)];
const simd = (opcode: number): number[] => [0xfd, ...unsigned(opcode)];

export const i32 = {
  const: (value: number): Code => [0x41, ...signed(BigInt(value | 0))],
  load: load(0x28),
  store: store(0x36),
  eqz: unary(0x45),
  add: binary(0x6a),
  sub: binary(0x6b),
  and: binary(0x71),
  xor: binary(0x73),
  shl: binary(0x74),
  rotl: binary(0x77),
  wrapI64: unary(0xa7),
} as const;

export const i64 = {
  const: (value: bigint): Code => [0x42, ...signed(BigInt.asIntN(64, value))],
  load: load(0x29),
  store: store(0x37),
  ltU: binary(0x54),
  add: binary(0x7c),
  sub: binary(0x7d),
  mul: binary(0x7e),
  and: binary(0x83),
  or: binary(0x84),
  xor: binary(0x85),
  shl: binary(0x86),
  shrU: binary(0x88),
  extendI32: unary(0xad),
} as const;

export const v128 = {
  load: load(...simd(0x00)),
  /** One 32-bit word into all four lanes. */
  load32Splat: load(...simd(0x09)),
  store: store(...simd(0x0b)),
  const: (bytes: readonly number[]): Code => [...simd(0x0c), ...bytes],
  /** Sixteen byte numbers: 0 to 15 of a, 16 to 31 of b. */
  shuffle: (lanes: readonly number[], a: Code, b: Code): Code => [a, b, ...simd(0x0d), ...lanes],
  and: binary(...simd(0x4e)),
  /** a AND NOT b. */
  andnot: binary(...simd(0x4f)),
  or: binary(...simd(0x50)),
  xor: binary(...simd(0x51)),
} as const;

export const i32x4 = {
  shl: binary(...simd(0xab)),
  shrU: binary(...simd(0xad)),
  add: binary(...simd(0xae)),
  sub: binary(...simd(0xb1)),
  /** A shuffle by whole words: 0 to 3 of a, 4 to 7 of b. */
  shuffle: (words: readonly number[], a: Code, b: Code): Code =>
    v128.shuffle(
      words.flatMap((word) => [0, 1, 2, 3].map((byte) => word * 4 + byte)),
      a,
      b,
    ),
} as const;

export const i64x2 = {
  splat: unary(...simd(0x12)),
  shrU: binary(...simd(0xcd)),
  add: binary(...simd(0xce)),
  mul: binary(...simd(0xd5)),
  /** The 64-bit products of words 0 and 1. */
  extmulLowU: binary(...simd(0xde)),
  shuffle: (lanes: readonly number[], a: Code, b: Code): Code =>
    v128.shuffle(
      lanes.flatMap((lane) => [0, 1, 2, 3, 4, 5, 6, 7].map((byte) => lane * 8 + byte)),
      a,
      b,
    ),
} as const;

export interface Local {
  readonly get: Code;
  set(value: Code): Code;
}

/** One exported function, built statement by statement. */
export class FunctionBuilder {
  readonly name: string;
  readonly params: readonly Local[];
  readonly #paramTypes: readonly ValueType[];
  readonly #result: ValueType | undefined;
  readonly #localTypes: ValueType[] = [];
  readonly #code: number[] = [];

  constructor(name: string, paramTypes: readonly ValueType[], result?: ValueType) {
    this.name = name;
    this.#paramTypes = paramTypes;
    this.#result = result;
    this.params = paramTypes.map((_, index) => localAt(index));
  }

  local(type: ValueType): Local {
    this.#localTypes.push(type);
    return localAt(this.params.length + this.#localTypes.length - 1);
  }

  locals(type: ValueType, count: number): Local[] {
    return Array.from({ length: count }, () => this.local(type));
  }

  emit(...statements: readonly Code[]): void {
    for (const statement of statements) flatten(statement, this.#code);
  }

  /** Runs what `body` emits while `counter`, an i32, is not 0; the body changes it. */
  whileNonZero(counter: Local, body: () => void): void {
    this.emit([0x02, NO_RESULT, 0x03, NO_RESULT], i32.eqz(counter.get), [0x0d, 1]);
    body();
    this.emit([0x0c, 0, 0x0b, 0x0b]);
  }

  /** Parts of the module: the type and the body, as the binary format wants them. */
  encode(): { readonly type: number[]; readonly body: number[] } {
    const results = this.#result === undefined ? [] : [[TYPE_BYTES[this.#result]]];
    const locals = this.#localTypes.flatMap((type) => [1, TYPE_BYTES[type]]);
    const body = [...unsigned(this.#localTypes.length), ...locals, ...this.#code, 0x0b];
    return {
      type: [0x60, ...vector(this.#paramTypes.map((type) => [TYPE_BYTES[type]])), ...vector(results)],
      body: [...unsigned(body.length), ...body],
    };
  }
}

function flatten(code: Code, into: number[]): void {
  for (const item of code) {
    if (typeof item === "number") into.push(item);
    else flatten(item, into);
  }
}

function localAt(index: number): Local {
  const place = unsigned(index);
  return { get: [0x20, ...place], set: (value) => [value, 0x21, ...place] };
}

function vector(items: readonly (readonly number[])[]): number[] {
  return [...unsigned(items.length), ...items.flat()];
}

function section(id: number, items: readonly (readonly number[])[]): number[] {
  const content = vector(items);
  return [id, ...unsigned(content.length), ...content];
}

function text(name: string): number[] {
  return vector([...Buffer.from(name)].map((byte) => [byte]));
}

/** A linear memory, and functions over it. */
export interface Kernel {
  readonly memory: Uint8Array;
  /** Compiles one function into this kernel. */
  compile(builder: FunctionBuilder): KernelFunction;
}

export type KernelFunction = (...args: (number | bigint)[]) => number | bigint | undefined;

// Node's type declarations leave WebAssembly out.
interface WebAssemblyApi {
  readonly validate: (bytes: Uint8Array) => boolean;
  readonly Memory: new (size: {
    readonly initial: number;
    readonly maximum: number;
  }) => {
    readonly buffer: ArrayBuffer;
  };
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (
    module: object,
    imports: object,
  ) => { readonly exports: Readonly<Record<string, unknown>> };
}

const api = (globalThis as unknown as { readonly WebAssembly: WebAssemblyApi }).WebAssembly;

/** Whether this engine knows every instruction of the function. */
export function compiles(builder: FunctionBuilder): boolean {
  return api.validate(encodeModule(builder, 1));
}

/** A kernel whose memory has at least `bytes` bytes and begins with zeros; it never grows. */
export function createKernel(bytes: number): Kernel {
  const { Memory, Module, Instance } = api;
  const pages = Math.ceil(bytes / PAGE);
  const memory = new Memory({ initial: pages, maximum: pages });
  return {
    memory: new Uint8Array(memory.buffer),
    compile(builder) {
      const { exports } = new Instance(new Module(encodeModule(builder, pages)), { kernel: { memory } });
      return exports[builder.name] as KernelFunction;
    },
  };
}

/** A module that imports the kernel's memory and exports one function (core specification, "Binary Format"). */
function encodeModule(builder: FunctionBuilder, pages: number): Uint8Array {
  const { type, body } = builder.encode();
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
    ...section(1, [type]),
    ...section(2, [
      [...text("kernel"), ...text("memory"), 0x02, 0x01, ...unsigned(pages), ...unsigned(pages)],
    ]),
    ...section(3, [[0]]),
    ...section(7, [[...text(builder.name), 0x00, 0]]),
    ...section(10, [body]),
  ]);
}
