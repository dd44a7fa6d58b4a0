/** Builds a list of pieces, joining neighbours that continue each other. */
import type { DataPiece, Piece } from "../format.ts";

export function appendPiece(pieces: Piece[], piece: Piece): void {
  if (piece.length === 0) return;
  const last = pieces.at(-1);
  if (last?.kind === "zero" && piece.kind === "zero") {
    pieces[pieces.length - 1] = { kind: "zero", length: last.length + piece.length };
  } else if (last?.kind === "data" && piece.kind === "data" && continues(last, piece)) {
    pieces[pieces.length - 1] = { ...last, length: last.length + piece.length };
  } else {
    pieces.push(piece);
  }
}

function continues(last: DataPiece, piece: DataPiece): boolean {
  return last.source === piece.source && last.offset + last.length === piece.offset;
}
