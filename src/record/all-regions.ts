/** Every region of the catalogue, however many there are. */
import type { Region } from "../catalog/region.ts";
import type { Catalogue } from "./record.ts";

const PAGE = 200;

export async function allRegions({ regions }: Pick<Catalogue, "regions">): Promise<readonly Region[]> {
  const found: Region[] = [];
  for (let after = ""; ; ) {
    const page = await regions.list({ limit: PAGE, after });
    found.push(...page.map(({ entry }) => entry));
    const last = page.at(-1);
    if (last === undefined || page.length < PAGE) return found;
    after = last.entry.id;
  }
}
