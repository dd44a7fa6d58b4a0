/** How the objects of a task are called: one for each disk. */
import type { ExportRequest } from "./request.ts";

/**
 * `disk.vhd` for one disk; `disk_system.vhd`, `disk_data1.vhd`, … for several.
 * @param usual what names of this format end with; names that end otherwise are cut at their last dot.
 */
export function namesForDisks(name: string, disks: number, usual: string): readonly string[] {
  if (disks === 1) return [name];
  const file = name.lastIndexOf("/") + 1;
  const dot = name.endsWith(usual) ? name.length - usual.length : name.lastIndexOf(".");
  const cut = dot > file ? dot : name.length;
  const [stem, ending] = [name.slice(0, cut), name.slice(cut)];
  return Array.from(
    { length: disks },
    (_, disk) => `${stem}_${disk === 0 ? "system" : `data${disk}`}${ending}`,
  );
}

/** The name that an export asks for, before it is made one for each disk. */
export function exportName(
  object: ExportRequest["object"],
  made: { readonly from: string; readonly task: string; readonly ending: string },
): string {
  if (object.is === "given") return object.name;
  const parts = [made.from, made.task];
  return `${[...(object.prefix === undefined ? [] : [object.prefix]), ...parts].join("_")}${made.ending}`;
}
