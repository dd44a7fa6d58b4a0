/** Guest bytes of one segment, from its pieces, in order, a chunk at a time. */
import { KiB, MiB } from "../bytes/units.ts";
import { decodeUnit } from "../codec/codec.ts";
import type { CodedPiece, Piece } from "../format/format.ts";
import type { Source } from "../source/source.ts";
import type { LaneBuffers } from "./lane-buffers.ts";

/** Coded pieces whose bytes stand this close together are fetched with one read. */
const MAX_GAP = 64 * KiB;
/** Bytes of one read of coded pieces: also the lane's scratch buffer, unless one unit alone needs more. */
const MAX_READ = 2 * MiB;
/** Bytes of history that a deflate stream can refer to. */
const WINDOW = 32 * KiB;

/** The part of a piece that a chunk wants: `length` bytes into `chunk[at]`. */
interface Want {
  readonly piece: Piece;
  readonly at: number;
  /** Bytes of the piece before the wanted ones. */
  readonly skip: number;
  readonly length: number;
}

export class GuestReader {
  readonly #pieces: readonly Piece[];
  readonly #sources: readonly Source[];
  #next = 0;
  #skip = 0;
  #scratch: Uint8Array = new Uint8Array(0);
  #unit = new Uint8Array(0);
  #window: Uint8Array | undefined;
  readonly #buffers: LaneBuffers | undefined;

  /** @param buffers lends the memory for coded bytes, which `release` gives back; absent: new memory. */
  constructor(
    pieces: readonly Piece[],
    sources: readonly Source[],
    window: Uint8Array | undefined,
    buffers?: LaneBuffers,
  ) {
    this.#pieces = pieces;
    this.#sources = sources;
    this.#window = window;
    this.#buffers = buffers;
  }

  /** Nothing more is read. Not after a failure: an abandoned read may still be filling the memory. */
  release(): void {
    // Larger ones are rare, and of any size.
    if (this.#scratch.length === MAX_READ) this.#buffers?.give(this.#scratch);
    this.#scratch = new Uint8Array(0);
  }

  /** The last bytes decoded: what a chained stream needs to go on. */
  get window(): Uint8Array | undefined {
    return this.#window;
  }

  /** Bytes from here that the tables alone call zero. */
  get zerosAhead(): number {
    const piece = this.#pieces[this.#next];
    return piece?.kind === "zero" ? piece.length - this.#skip : 0;
  }

  /** Passes over `length` bytes that nobody wants. */
  pass(length: number): void {
    this.#take(length);
  }

  /** Fills `chunk` with the next bytes of the segment. */
  async fill(chunk: Uint8Array, signal: AbortSignal): Promise<void> {
    const wants = this.#take(chunk.length);
    for (let i = 0; i < wants.length; ) {
      const want = wants[i];
      if (want === undefined) break;
      const into = chunk.subarray(want.at, want.at + want.length);
      if (want.piece.kind === "zero") {
        into.fill(0);
        i += 1;
      } else if (want.piece.kind === "data") {
        await this.#readData(want.piece.source, want.piece.offset + want.skip, into, signal);
        i += 1;
      } else {
        const run = codedRun(wants, i);
        await this.#decodeRun(run, chunk, signal);
        i += run.length;
      }
    }
  }

  /** The next `length` bytes as wants, and moves on. */
  #take(length: number): Want[] {
    const wants: Want[] = [];
    for (let at = 0; at < length; ) {
      const piece = this.#pieces[this.#next];
      if (piece === undefined) throw new Error("the pieces of a segment end before the segment");
      const take = Math.min(piece.length - this.#skip, length - at);
      wants.push({ piece, at, skip: this.#skip, length: take });
      at += take;
      this.#skip += take;
      if (this.#skip === piece.length) {
        this.#next += 1;
        this.#skip = 0;
      }
    }
    return wants;
  }

  /** What lies past the end of a source reads as zeros. */
  async #readData(source: number, offset: number, into: Uint8Array, signal: AbortSignal): Promise<void> {
    const from = this.#source(source);
    const inside = Math.max(0, Math.min(into.length, from.size - offset));
    if (inside > 0) await from.read(into.subarray(0, inside), offset, signal);
    into.fill(0, inside);
  }

  async #decodeRun(
    run: readonly (Want & { readonly piece: CodedPiece })[],
    chunk: Uint8Array,
    signal: AbortSignal,
  ) {
    const first = run[0]?.piece;
    if (first === undefined) return;
    const start = first.offset;
    const end = Math.max(...run.map((want) => want.piece.offset + want.piece.size));
    if (this.#scratch.length < end - start) this.#scratch = this.#room(end - start);
    const coded = this.#scratch.subarray(0, end - start);
    const source = this.#source(first.source);
    await source.read(coded, start, signal);
    for (const { piece, at, skip, length } of run) {
      const bytes = coded.subarray(piece.offset - start, piece.offset - start + piece.size);
      const place = `${source.name}: offset ${piece.offset}`;
      const from = piece.skip + skip;
      if (from === 0 && length === piece.unit) {
        const into = chunk.subarray(at, at + length);
        decodeUnit(piece.codec, bytes, into, place, this.#history(piece));
        this.#remember(piece, into);
      } else {
        if (this.#unit.length !== piece.unit) this.#unit = new Uint8Array(piece.unit);
        decodeUnit(piece.codec, bytes, this.#unit, place, this.#history(piece));
        this.#remember(piece, this.#unit);
        chunk.set(this.#unit.subarray(from, from + length), at);
      }
    }
  }

  #room(length: number): Uint8Array {
    if (length > MAX_READ) return new Uint8Array(length);
    return this.#buffers?.take(MAX_READ) ?? new Uint8Array(MAX_READ);
  }

  #history(piece: CodedPiece): Uint8Array | undefined {
    return piece.codec === "deflate-chain" ? this.#window : undefined;
  }

  #remember(piece: CodedPiece, decoded: Uint8Array): void {
    if (piece.codec === "deflate-chain") this.#window = decoded.slice(-WINDOW);
  }

  #source(index: number): Source {
    const source = this.#sources[index];
    if (source === undefined)
      throw new Error(`a piece refers to source ${index}, which the job does not have`);
    return source;
  }
}

/** The longest run of coded pieces from `start` whose bytes one read can fetch. */
function codedRun(wants: readonly Want[], start: number): (Want & { readonly piece: CodedPiece })[] {
  const run: (Want & { readonly piece: CodedPiece })[] = [];
  let from = 0;
  let end = 0;
  for (let i = start; i < wants.length; i += 1) {
    const want = wants[i];
    if (want === undefined || want.piece.kind !== "coded") break;
    const piece = want.piece;
    const first = run[0]?.piece;
    if (first !== undefined) {
      const near = piece.source === first.source && piece.offset >= from && piece.offset <= end + MAX_GAP;
      if (!near || Math.max(end, piece.offset + piece.size) - from > MAX_READ) break;
    } else {
      from = piece.offset;
    }
    end = Math.max(end, piece.offset + piece.size);
    run.push({ ...want, piece });
  }
  return run;
}
