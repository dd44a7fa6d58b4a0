/** Guest contents that bring out different sides of a format. Deterministic. */

export const CONTENTS = {
  /** A cluster here and there, at the ends too. */
  sparse(size: number): Buffer {
    const guest = Buffer.alloc(size);
    const random = noise(size);
    const step = Math.ceil(size / 7);
    for (let at = 0; at < size; at += step) random.copy(guest, at, at, Math.min(size, at + 700));
    random.copy(guest, Math.max(0, size - 100), 0, Math.min(100, size));
    return guest;
  },
  random: noise,
  compressible(size: number): Buffer {
    const guest = Buffer.alloc(size);
    for (let at = 0; at < size; at += 1) guest[at] = 97 + ((at >> 5) % 13);
    return guest;
  },
  /** Zeros, one byte, text and noise in turn, in runs of odd length. */
  mixed(size: number): Buffer {
    const guest = noise(size);
    for (let at = 0, turn = 0; at < size; turn += 1) {
      const length = 1 + ((turn * 7919) % Math.max(2, Math.ceil(size / 40)));
      const end = Math.min(size, at + length);
      if (turn % 4 === 0) guest.fill(0, at, end);
      if (turn % 4 === 1) guest.fill(0x42, at, end);
      if (turn % 4 === 2) guest.fill("a line of text\n", at, end);
      at = end;
    }
    return guest;
  },
} as const;

export function noise(size: number, seed = 1): Buffer {
  const words = new Uint32Array(Math.ceil(size / 4));
  let state = seed;
  for (let i = 0; i < words.length; i += 1) {
    state = (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9) | 0;
    words[i] = state ^ (state >>> 13);
  }
  return Buffer.from(words.buffer, 0, size);
}
