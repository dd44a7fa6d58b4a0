/** Disks to write and to read. */

/** Bytes that are never zero and differ from sector to sector, the same for the same seed. */
export function noise(length: number, seed: number): Buffer {
  const bytes = Buffer.alloc(length);
  let state = (seed * 2654435761 + 1) >>> 0;
  for (let i = 0; i < length; i += 1) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes[i] = (state >>> 24) | 1;
  }
  return bytes;
}

/** A disk with data at its start, at its end and across the border of two blocks of 2 MiB, zeros elsewhere. */
export function sparseDisk(size: number, seed = 1): Buffer {
  const disk = Buffer.alloc(size);
  const put = (offset: number, length: number) => {
    const from = Math.max(0, offset);
    const to = Math.min(size, offset + length);
    if (to > from) noise(to - from, seed + from).copy(disk, from);
  };
  put(0, 700);
  put(2 * 1024 ** 2 - 100, 3000);
  put(size - 900, 900);
  return disk;
}
