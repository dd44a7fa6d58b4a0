/** CRC-64/XZ, written plainly and apart from the program's own, so that one checks the other. */

const POLYNOMIAL = 0xc96c5795d7870f42n;
const ONES = 0xffffffffffffffffn;

const low = new Uint32Array(256);
const high = new Uint32Array(256);
for (let byte = 0; byte < 256; byte += 1) {
  let value = BigInt(byte);
  for (let bit = 0; bit < 8; bit += 1) value = value & 1n ? (value >> 1n) ^ POLYNOMIAL : value >> 1n;
  low[byte] = Number(value & 0xffffffffn);
  high[byte] = Number(value >> 32n);
}

export class PlainCrc {
  #low = 0xffffffff;
  #high = 0xffffffff;

  update(bytes: Uint8Array): void {
    let a = this.#low;
    let b = this.#high;
    for (let i = 0; i < bytes.length; i += 1) {
      const index = (a ^ (bytes[i] as number)) & 0xff;
      a = ((a >>> 8) | (b << 24)) ^ (low[index] as number);
      b = (b >>> 8) ^ (high[index] as number);
    }
    this.#low = a;
    this.#high = b;
  }

  value(): bigint {
    return ((BigInt(this.#high >>> 0) << 32n) | BigInt(this.#low >>> 0)) ^ ONES;
  }
}

export function plainCrc(bytes: Uint8Array): bigint {
  const crc = new PlainCrc();
  crc.update(bytes);
  return crc.value();
}

type Matrix = readonly bigint[];

function times(matrix: Matrix, vector: bigint): bigint {
  let sum = 0n;
  for (let bit = 0, rest = vector; rest !== 0n; bit += 1, rest >>= 1n) {
    if (rest & 1n) sum ^= matrix[bit] as bigint;
  }
  return sum;
}

const oneZeroByte: Matrix = (() => {
  const bit: bigint[] = [POLYNOMIAL];
  for (let row = 1; row < 64; row += 1) bit.push(1n << BigInt(row - 1));
  let matrix: Matrix = bit;
  for (let doubling = 0; doubling < 3; doubling += 1) matrix = square(matrix);
  return matrix;
})();

function square(matrix: Matrix): Matrix {
  return matrix.map((row) => times(matrix, row));
}

const operators = new Map<number, Matrix>();

/** The matrix that moves a CRC over `length` zero bytes, as zlib's crc32_combine does it with 32 bits. */
function operatorFor(length: number): Matrix {
  const known = operators.get(length);
  if (known !== undefined) return known;
  let result: Matrix = Array.from({ length: 64 }, (_, row) => 1n << BigInt(row));
  let power = oneZeroByte;
  for (let rest = length; rest > 0; rest = Math.floor(rest / 2)) {
    const step = power;
    if (rest % 2 === 1) result = result.map((row) => times(step, row));
    power = square(power);
  }
  operators.set(length, result);
  return result;
}

export function plainCombine(first: bigint, second: bigint, secondLength: number): bigint {
  return times(operatorFor(secondLength), first) ^ second;
}
