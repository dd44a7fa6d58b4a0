/** Tables for people. */

/** One line for each row, columns below their heads; a column of numbers stands right. */
export function* tableLines(
  heads: readonly string[],
  rows: readonly (readonly (string | number)[])[],
): Generator<string> {
  const texts = [heads, ...rows.map((row) => row.map(String))];
  const widths = heads.map((_, column) => Math.max(...texts.map((row) => row[column]?.length ?? 0)));
  const right = heads.map(
    (_, column) => rows.length > 0 && rows.every((row) => typeof row[column] === "number"),
  );
  for (const row of texts) {
    const cells = row.map((text, column) => {
      const width = widths[column] ?? 0;
      return right[column] ? text.padStart(width) : text.padEnd(width);
    });
    yield cells.join("  ").trimEnd();
  }
}
