/** Unit tables of landed segments: as a journal writes them, and as they are kept in memory. */
import { MiB } from "../bytes/units.ts";
import type { UnitTable } from "../format/format.ts";
import { zlib } from "../native/zlib.ts";
import type { PackedTable } from "./journal-line.ts";

/** Bytes of the tables that stay in memory. With units of 64 KiB these are the tables of 64 GiB of disk. */
const IN_MEMORY = 4 * MiB;

/** The tables of a run by part, as many as fit; who keeps them elsewhere, too, need not read these again. */
export class RecentTables {
  readonly #tables = new Map<number, UnitTable>();
  #room = IN_MEMORY;

  get(number: number): UnitTable | undefined {
    return this.#tables.get(number);
  }

  keep(number: number, table: UnitTable): void {
    // A part that lands again has the later table, here or nowhere.
    this.#tables.delete(number);
    const size = table.units.byteLength + (table.places?.byteLength ?? 0);
    if (size > this.#room) return;
    this.#room -= size;
    this.#tables.set(number, table);
  }

  clear(): void {
    this.#tables.clear();
    this.#room = IN_MEMORY;
  }
}

/** Unit tables are mostly zeros or alike: deflated they take a byte or two an entry. */
export function packTable({ units, places }: UnitTable): PackedTable {
  return { units: pack(units), ...(places === undefined ? {} : { places: pack(places) }) };
}

export function unpackTable({ units, places }: PackedTable): UnitTable {
  return { units: unpack(units), ...(places === undefined ? {} : { places: unpack(places) }) };
}

function pack(words: Uint32Array): string {
  return zlib()
    .deflateRawSync(new Uint8Array(words.buffer, words.byteOffset, words.byteLength), {
      level: 1,
    })
    .toString("base64");
}

function unpack(text: string): Uint32Array {
  const bytes = zlib().inflateRawSync(Buffer.from(text, "base64"));
  return new Uint32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
}
