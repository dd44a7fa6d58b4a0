/**
 * Bytes of the strict OSS server: files in a directory, with holes for zeros, shared by whatever copies refer to them.
 */
import { createHash } from "node:crypto";
import { type FileHandle, open, rm } from "node:fs/promises";
import { join } from "node:path";
import { PlainCrc } from "./crc.ts";

/** A run of bytes of one blob. */
export interface Piece {
  readonly blob: number;
  readonly offset: number;
  readonly length: number;
}

export interface StoredBytes {
  readonly pieces: readonly Piece[];
  readonly size: number;
  /** Upper-case hex, as OSS writes ETags. */
  readonly md5: string;
  readonly crc: bigint;
}

const BLOCK = 64 * 1024;
const ZEROS = Buffer.alloc(BLOCK);

export class Storage {
  readonly #directory: string;
  readonly #references = new Map<number, number>();
  #next = 1;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Files that something still refers to. */
  get blobs(): number {
    return this.#references.size;
  }

  async write(chunks: AsyncIterable<Uint8Array>): Promise<StoredBytes> {
    const blob = this.#next++;
    const path = this.#pathOf(blob);
    const md5 = createHash("md5");
    const crc = new PlainCrc();
    let size = 0;
    const file = await open(path, "wx");
    try {
      for await (const chunk of chunks) {
        md5.update(chunk);
        crc.update(chunk);
        await writeSparse(file, chunk, size);
        size += chunk.length;
      }
      await file.truncate(size);
    } catch (error) {
      await file.close();
      await rm(path, { force: true });
      throw error;
    }
    await file.close();
    this.#references.set(blob, 1);
    return {
      pieces: size === 0 ? [] : [{ blob, offset: 0, length: size }],
      size,
      md5: md5.digest("hex").toUpperCase(),
      crc: crc.value(),
    };
  }

  /** The same bytes once more, without copying them. */
  share(pieces: readonly Piece[], offset: number, length: number): readonly Piece[] {
    const shared: Piece[] = [];
    let start = 0;
    for (const piece of pieces) {
      const from = Math.max(offset, start);
      const to = Math.min(offset + length, start + piece.length);
      if (from < to) {
        shared.push({ blob: piece.blob, offset: piece.offset + from - start, length: to - from });
        this.#references.set(piece.blob, (this.#references.get(piece.blob) ?? 0) + 1);
      }
      start += piece.length;
    }
    return shared;
  }

  async release(pieces: readonly Piece[]): Promise<void> {
    for (const { blob } of pieces) {
      const left = (this.#references.get(blob) ?? 1) - 1;
      if (left > 0) {
        this.#references.set(blob, left);
      } else {
        this.#references.delete(blob);
        await rm(this.#pathOf(blob), { force: true });
      }
    }
  }

  async *read(pieces: readonly Piece[], offset: number, length: number): AsyncGenerator<Buffer> {
    let start = 0;
    for (const piece of pieces) {
      const from = Math.max(offset, start);
      const to = Math.min(offset + length, start + piece.length);
      if (from < to) yield* this.#readPiece(piece, from - start, to - from);
      start += piece.length;
    }
  }

  async *#readPiece(piece: Piece, skip: number, length: number): AsyncGenerator<Buffer> {
    const file = await open(this.#pathOf(piece.blob), "r");
    try {
      for (let done = 0; done < length; ) {
        const buffer = Buffer.alloc(Math.min(BLOCK, length - done));
        const { bytesRead } = await file.read(buffer, 0, buffer.length, piece.offset + skip + done);
        if (bytesRead === 0) throw new Error("a blob is shorter than its piece");
        yield buffer.subarray(0, bytesRead);
        done += bytesRead;
      }
    } finally {
      await file.close();
    }
  }

  #pathOf(blob: number): string {
    return join(this.#directory, `blob-${blob}`);
  }
}

async function writeSparse(file: FileHandle, chunk: Uint8Array, position: number): Promise<void> {
  for (let start = 0; start < chunk.length; start += BLOCK) {
    const block = chunk.subarray(start, start + BLOCK);
    if (ZEROS.compare(block, 0, block.length, 0, block.length) === 0) continue;
    await file.write(block, 0, block.length, position + start);
  }
}
